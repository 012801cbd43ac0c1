"""Links people from frame to frame by where they are. Knows no identity."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.people.views import PersonBox

_MAX_JUMP_HEADS = 2.5
_MAX_SCALE = 1.8
_MAX_GAP_FRAMES = 3  # from look to look, so two looks without the person


def link(frames: Sequence[Sequence[PersonBox]]) -> list[list[int]]:
    """Track index of each person in each frame.

    Greedy nearest neighbour between head centres: a head moves at most 2.5 head heights between looks, grows
    at most 1.8 times, and may be missing for at most 2 of them.

    Returns:
        one list a frame, one 0-based track index a person, unique within the frame.
    """
    tracks: list[tuple[int, PersonBox]] = []
    linked: list[list[int]] = []
    for now, people in enumerate(frames):
        pairs = sorted(
            (cost, person, track)
            for person, box in enumerate(people)
            for track, (seen, last) in enumerate(tracks)
            if now - seen <= _MAX_GAP_FRAMES and (cost := _cost(last, box, now - seen)) is not None
        )
        chosen: dict[int, int] = {}
        for _, person, track in pairs:
            if person not in chosen and track not in chosen.values():
                chosen[person] = track
        for person, box in enumerate(people):
            if person not in chosen:
                chosen[person] = len(tracks)
                tracks.append((now, box))
            tracks[chosen[person]] = (now, box)
        linked.append([chosen[person] for person in range(len(people))])
    return linked


def _cost(last: PersonBox, box: PersonBox, gap: int) -> float | None:
    ax, ay, aw, ah = last.head
    bx, by, bw, bh = box.head
    size = max(ah, bh, 1.0)
    jump = ((ax + aw / 2 - bx - bw / 2) ** 2 + (ay + ah / 2 - by - bh / 2) ** 2) ** 0.5 / size
    scale = max(ah, bh) / max(min(ah, bh), 1e-3)
    return jump if jump <= _MAX_JUMP_HEADS * gap and scale <= _MAX_SCALE else None
