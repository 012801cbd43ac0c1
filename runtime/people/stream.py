"""Frames to person views: detect, track, crop, embed. Knows no subjects; the encoders are handed in.

The detector looks at a small picture of the whole scene, so its boxes are inexact. The head encoder says of
each crop where in it the head really is; a second crop is cut there, and that one is embedded. The body below
it is cut by the same box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box, PixelSpec, normalise, to_body_crop, to_crop
from runtime.people.cluster import join_tracks, split_tracks
from runtime.people.detect import find_people, overlap
from runtime.people.faces import Face, FaceEngine, FaceFinder, face_distance
from runtime.people.track import link
from runtime.people.views import PersonBox, PersonView

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadLook:
    """What the head encoder tells of N crops.

    Attributes:
        embeddings: float32 (N, E), unit rows; qualities: (N,), 0..1.
        shifts: (N, 3), the head's centre right of and below the crop's, in sides of the crop, and ln of its
            relative size.
        poses: (N, 3), sine and cosine of the yaw, pitch in radians.
    """

    embeddings: Floats
    qualities: Floats
    shifts: Floats
    poses: Floats


EmbedHeads = Callable[[Floats], HeadLook]
"""Crops float32 (N, 3, side, side), normalised, to what the head encoder tells of them."""
TellBodies = Callable[[Floats], Floats]
"""Body crops float32 (N, 3, height, width), normalised, to signs (N, J - 3)."""

SAME_HEAD_BELOW, OTHER_HEAD_ABOVE = 0.4, 0.55
"""Cosine distances of head embeddings, measured on 1753 tracks of 1200 rendered clips of people unseen.

Two halves of a track: 0.06 in the median, 0.24 for 95 %; two people of one clip: 1.00, and 0.43 for the most
alike 1 %. From a view to the nearest earlier one of its track: 0.14 for 95 %, 0.43 for 99.5 %.
"""
SAME_FACE_BELOW = 0.42
OTHER_FACE_ABOVE = 0.62
_FACES_PER_TRACK = 4
_SAME_PLACE = 0.5
_MAX_SHIFT, _MAX_GROWTH = 0.3, 0.5


@dataclass(frozen=True, slots=True)
class SeenHead:
    """A head found in one frame, embedded; nothing in it depends on any other frame.

    Attributes:
        found: the detector's boxes. head: the corrected box; pixels of the frame.
        embedding: float32 (E,), unit. quality: 0..1.
        signs: float32 (J,), what the body shows; None: the bundle has no body encoder.
    """

    found: PersonBox
    head: Box
    embedding: Floats
    quality: float
    signs: Floats | None


def head_views(
    frames: NDArray[np.uint8],
    times_s: Sequence[float],
    people: Floats,
    spec: PixelSpec,
    embed: EmbedHeads,
    tell: TellBodies | None = None,
) -> list[PersonView]:
    """Views of everybody in a window of the trained world: `heads_in` and `views_of_heads`."""
    return views_of_heads(heads_in(frames, people, spec, embed, tell), times_s)


def heads_in(
    frames: NDArray[np.uint8],
    people: Floats,
    spec: PixelSpec,
    embed: EmbedHeads,
    tell: TellBodies | None = None,
) -> list[tuple[SeenHead, ...]]:
    """Everybody in each of some frames.

    All crops are one batch. Networks may give other last bits in another batch, so who needs a frame's
    heads to be the same bit for bit hands in one frame at a time.

    Args:
        frames: uint8 (T, H, W, 3), RGB.
        people: float32 (T, P, 9 or 10), the vision engine's `people`.
        embed: the head encoder. tell: the body encoder; None: the bundle has none, and heads have no signs.
    """
    height, width = frames.shape[1:3]
    boxes = [find_people(cells, width, height, spec) for cells in people]
    found = [(t, n) for t, row in enumerate(boxes) for n in range(len(row))]
    seen: list[list[SeenHead]] = [[] for _ in boxes]
    if found:
        heads = [boxes[t][n].head for t, n in found]
        shifts = embed(_crops(frames, found, heads, spec)).shifts
        heads = [corrected(head, shift, spec) for head, shift in zip(heads, shifts, strict=True)]
        look = embed(_crops(frames, found, heads, spec))
        signs = None
        if tell is not None:
            bodies = [to_body_crop(frames[t], head, spec) for (t, _), head in zip(found, heads, strict=True)]
            signs = np.concatenate([tell(normalise(np.stack(bodies), spec)), look.poses], axis=1)
        for row, (t, n) in enumerate(found):
            quality = float(np.clip(look.qualities[row], 0.0, 1.0))
            mine = None if signs is None else signs[row]
            seen[t].append(SeenHead(boxes[t][n], heads[row], look.embeddings[row], quality, mine))
    return [tuple(row) for row in seen]


def views_of_heads(heads: Sequence[Sequence[SeenHead]], times_s: Sequence[float]) -> list[PersonView]:
    """Heads frame by frame to views: linked, doubles removed, tracks split and joined by who they show.

    Args:
        times_s: seconds of each frame from the first.

    Returns:
        one view per person and frame, one track number a person.
    """
    tracks = link([[one.found for one in row] for row in heads])
    views = [
        PersonView(
            frame=t,
            t_s=times_s[t],
            track=tracks[t][n],
            head=one.head,
            body=one.found.body,
            embedding=one.embedding,
            quality=one.quality,
            source="head",
            signs=one.signs,
        )
        for t, row in enumerate(heads)
        for n, one in enumerate(row)
    ]
    views = without_doubles(views)
    return join_tracks(
        split_tracks(views, _cosine_distance, OTHER_HEAD_ABOVE), _cosine_distance, SAME_HEAD_BELOW
    )


def without_doubles(views: Sequence[PersonView]) -> list[PersonView]:
    """The views without a head found twice: corrected, two boxes of one frame may meet on the same head.

    Of two that overlap by more than a half and look alike, the clearer one stays.
    """
    kept: list[PersonView] = []
    for view in sorted(views, key=lambda view: -view.quality):
        twice = any(
            other.frame == view.frame
            and overlap(other.head, view.head) > _SAME_PLACE
            and 1.0 - float(other.embedding @ view.embedding) < SAME_HEAD_BELOW
            for other in kept
        )
        if not twice:
            kept.append(view)
    return sorted(kept, key=lambda view: (view.frame, view.track))


def corrected(head: Box, shift: Floats, spec: PixelSpec) -> Box:
    """A head's box after the head encoder has seen the crop cut for it: moved and scaled, within bounds.

    Args:
        head: x, y, width, height in pixels. shift: float32 (3,), as `EmbedHeads` gives it.
    """
    x, y, w, h = head
    side = max(w, h) * spec.crop_margin
    right, down = (float(np.clip(value, -_MAX_SHIFT, _MAX_SHIFT)) * side for value in shift[:2])
    grow = math.exp(float(np.clip(shift[2], -_MAX_GROWTH, _MAX_GROWTH)))
    cx, cy = x + w / 2 + right, y + h / 2 + down
    return (cx - w * grow / 2, cy - h * grow / 2, w * grow, h * grow)


def _crops(
    frames: NDArray[np.uint8], found: Sequence[tuple[int, int]], heads: Sequence[Box], spec: PixelSpec
) -> Floats:
    crops = [to_crop(frames[t], head, spec) for (t, _), head in zip(found, heads, strict=True)]
    return normalise(np.stack(crops), spec)


def face_views(
    frames: NDArray[np.uint8],
    times_s: Sequence[float],
    looks: Sequence[int],
    faces: FaceEngine,
    check: Callable[[], None] = lambda: None,
    per_track: int = _FACES_PER_TRACK,
    finder: FaceFinder | None = None,
) -> list[PersonView]:
    """Views of the faces in ordinary footage; slow, so only some frames are looked at.

    Args:
        frames: uint8 (T, H, W, 3), RGB.
        times_s: seconds of each frame from the first.
        looks: indices of the frames to look at, ascending.
        faces: what embeds them. finder: what finds them; None: `faces` does.
        check, per_track: as in `views_of_faces`.
    """
    return views_of_faces(
        times_s, looks,
        lambda index: (finder or faces).find(frames[index]),
        lambda index, face: faces.embed(frames[index], [face])[0],
        check, per_track,
    )  # fmt: skip


def views_of_faces(
    times_s: Sequence[float],
    looks: Sequence[int],
    find: Callable[[int], list[Face]],
    embed: Callable[[int, Face], Floats],
    check: Callable[[], None] = lambda: None,
    per_track: int = _FACES_PER_TRACK,
) -> list[PersonView]:
    """Faces found and embedded frame by frame to views.

    Of somebody who turns away now and then only the looks that can tell are kept: a face in profile is
    embedded as somebody else's. Of somebody who never turns here the others are, of quality 0.

    Args:
        times_s: seconds of each frame from the first.
        looks: indices of the frames to look at, ascending.
        find: the faces of a frame, by its index. embed: float32 (E,), unit, of one face of a frame.
        check: called before every frame and face; raises to stop.
        per_track: at most this many faces of a track are embedded, those of highest quality.

    Returns:
        views with `frame` an index into the clip's frames, one track number a person.
    """
    found: list[list[Face]] = []
    for index in looks:
        check()
        found.append(find(index))
    boxes = [[_person(face) for face in row] for row in found]
    by_track: dict[int, list[tuple[int, int]]] = {}
    for look, row in enumerate(link(boxes)):
        for number, track in enumerate(row):
            by_track.setdefault(track, []).append((look, number))
    views: list[PersonView] = []
    for track, seen in by_track.items():
        facing = [at for at in seen if not found[at[0]][at[1]].turned]
        best = sorted(facing or seen, key=lambda at: -found[at[0]][at[1]].quality)[:per_track]
        for look, number in sorted(best):
            check()
            face, index = found[look][number], looks[look]
            box = boxes[look][number]
            views.append(
                PersonView(
                    frame=index,
                    t_s=times_s[index],
                    track=track,
                    head=box.head,
                    body=box.body,
                    embedding=embed(index, face),
                    quality=face.quality,
                    source="face",
                    turn_deg=face.yaw_deg,
                )
            )
    return join_tracks(split_tracks(views, face_distance, OTHER_FACE_ABOVE), face_distance, SAME_FACE_BELOW)


def _cosine_distance(a: Floats, b: Floats) -> Floats:
    return np.asarray(1.0 - a @ b.T, dtype=np.float32)


def _person(face: Face) -> PersonBox:
    """The box of a face as a head, and a body where one would be: three heads wide, seven high."""
    x, y, w, h = face.box
    body: Box = (x - w, y - h * 0.25, w * 3, h * 7)
    return PersonBox(face.box, body, min(1.0, 0.5 + face.score / 4))
