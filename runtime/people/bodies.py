"""Bodies followed from look to look, and whose they are by the faces on them. Knows no engine and no names.

A body that has shown a face is that person's when it turns away, as long as it is followed. Nothing else
binds a back to a person: what tells bodies apart by their clothes takes two people of one camera for one more
easily than it knows somebody who has turned round (ADR 0030).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.contract.pixels import Box
from runtime.people.detect import overlap
from runtime.people.views import PersonView

_SAME_BODY_IOU = 0.3
_MAX_GAP_S = 2.0
"""After so long without being found a place may be somebody else's."""
_HEAD_BELOW_TOP, _LOWEST_HEAD = 1.0, 1.5
"""Where the middle of a face lies below the top of its body, in heights of the face's square: 0.77 to 1.22 in
22 clips of people who sit or walk, near and far."""


@dataclass(frozen=True, slots=True)
class Body:
    """One body.

    Attributes:
        looks: frames in which it is found, ascending, and its box in each: x, y, width, height in pixels.
        people: track numbers of the faces that were seen on it.
    """

    looks: tuple[tuple[int, Box], ...]
    people: frozenset[int]


def bodies_of(
    looks: Sequence[int], times_s: Sequence[float], persons: Sequence[Sequence[Box]],
    views: Sequence[PersonView],
) -> list[Body]:  # fmt: skip
    """The bodies of a clip, and the faces on each.

    Args:
        looks: frames that were looked at, ascending. times_s: seconds of every frame, `looks` index into it.
        persons: of each look, the bodies found.
        views: of faces; `frame` is one of `looks`.
    """
    tracks = _follow(looks, times_s, persons)
    owners = {place: view.track for look in looks for place, view in _faces_on(look, tracks, views).items()}
    return [
        Body(tuple(track), frozenset(owners[number, look] for look, _ in track if (number, look) in owners))
        for number, track in enumerate(tracks)
    ]


def faceless(bodies: Sequence[Body]) -> int:
    """In how many looks somebody is in view who shows no face in any look."""
    return len({look for body in bodies if not body.people for look, _ in body.looks})


def without_turned(views: Sequence[PersonView], bodies: Sequence[Body]) -> list[PersonView]:
    """The views without people known only from views of no quality, on whose body there is a clear face too.

    Somebody who faced the camera, turned away and shows a profile later is one person, not two.
    """
    frames: dict[int, set[int]] = {}
    for view in views:
        frames.setdefault(view.track, set()).add(view.frame)
    clear = {view.track for view in views if view.quality > 0}
    same = {
        turned
        for body in bodies
        for turned in body.people - clear
        if len(body.people & clear) == 1
        and not any(frames[one] & frames[turned] for one in body.people & clear)
    }
    return [view for view in views if view.track not in same]


def _follow(
    looks: Sequence[int], times_s: Sequence[float], persons: Sequence[Sequence[Box]]
) -> list[list[tuple[int, Box]]]:
    """Tracks of bodies by where they are; of several that fit, those that overlap most go together."""
    tracks: list[list[tuple[int, Box]]] = []
    for look, boxes in zip(looks, persons, strict=True):
        fits = sorted(
            (-iou, number, place)
            for number, track in enumerate(tracks)
            if times_s[look] - times_s[track[-1][0]] <= _MAX_GAP_S
            for place, box in enumerate(boxes)
            if (iou := overlap(track[-1][1], box)) >= _SAME_BODY_IOU
        )
        taken: dict[int, int] = {}
        for _, number, place in fits:
            if place not in taken and number not in taken.values():
                taken[place] = number
        for place, box in enumerate(boxes):
            if place in taken:
                tracks[taken[place]].append((look, box))
            else:
                tracks.append([(look, box)])
    return tracks


def _faces_on(
    look: int, tracks: Sequence[Sequence[tuple[int, Box]]], views: Sequence[PersonView]
) -> dict[tuple[int, int], PersonView]:
    """Which face of a look is on which body, by number of the body and look: each on one, each has one.

    Of two bodies behind each other both may lie about one face; it is of the one whose head would be there.
    """
    here = [(number, box) for number, track in enumerate(tracks) for frame, box in track if frame == look]
    fits = sorted(
        (apart, number, index)
        for index, view in enumerate(views)
        if view.frame == look
        for number, box in here
        if (apart := _apart(view.head, box)) is not None
    )
    found: dict[tuple[int, int], PersonView] = {}
    placed: set[int] = set()
    for _, number, index in fits:
        if (number, look) not in found and index not in placed:
            found[number, look] = views[index]
            placed.add(index)
    return found


def _apart(face: Box, body: Box) -> float | None:
    """How far a face is from where the head of a body would be, in sizes of the body; None: not on it."""
    x, y = face[0] + face[2] / 2, face[1] + face[3] / 2
    left, top, width, height = body
    lowest = top + max(height / 2, _LOWEST_HEAD * face[3])
    if not (left <= x <= left + width and top - face[3] <= y <= lowest):
        return None
    return math.hypot((x - left - width / 2) / width, (y - top - _HEAD_BELOW_TOP * face[3]) / height)
