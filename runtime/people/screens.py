"""Tells faces that are on a television, a monitor or a telephone. Knows no engine and no identity.

A face on a screen moves like any other. But a screen does not: it is found in the same place again, all that
is on it stays within it, and its lower rim is a straight line that runs on below the face. Somebody who
stands before a screen covers that line.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box
from runtime.people.bodies import Body
from runtime.people.detect import overlap
from runtime.people.views import PersonView

Floats = NDArray[np.float32]
_SAME_PLACE_IOU = 0.6
_FACE_INSIDE, _BODY_INSIDE = 0.9, 0.75
"""Share that lies on the screen: the boxes of all three are inexact."""
_COLUMNS, _ROWS = 128, 128
_SLOPES = np.linspace(-0.16, 0.16, 17)
"""Of the rim, in heights of the screen a width: it may be seen from the side."""
_STEP = 6.0
"""Grey levels from row to row that make an edge."""
_RUNS_ON, _RUNS_ON_BELOW = 0.7, 0.85
"""Share of the columns of a screen, and of those below the face, in which its rim is seen."""


def on_screens(
    frames: Sequence[NDArray[np.uint8]], views: Sequence[PersonView], bodies: Sequence[Body],
    screens: Sequence[Sequence[Box]],
) -> frozenset[int]:  # fmt: skip
    """The tracks of faces that may be on a screen, whenever they are seen.

    Args:
        frames: uint8 (H, W, 3), RGB: what was looked at.
        views: of faces. bodies: of the same clip. screens: those found in each look.
    """
    places = _lasting(screens)
    if not places or not views:
        return frozenset()
    grey = np.median([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames], axis=0)
    return frozenset(
        track
        for track in {view.track for view in views}
        if any(_is_on(place, track, views, bodies, np.asarray(grey, dtype=np.float32)) for place in places)
    )


def _is_on(place: Box, track: int, views: Sequence[PersonView], bodies: Sequence[Body], grey: Floats) -> bool:
    faces = [view.head for view in views if view.track == track]
    mine = [box for body in bodies if track in body.people for _, box in body.looks]
    return (
        all(_share_inside(box, place) >= _FACE_INSIDE for box in faces)
        and all(_share_inside(box, place) >= _BODY_INSIDE for box in mine)
        and all(rim_runs_on(grey, place, box) for box in faces)
    )


def rim_runs_on(grey: Floats, place: Box, face: Box) -> bool:
    """Whether a straight edge runs along the lower end of a screen and on below a face in it.

    Args:
        grey: float32 (H, W), 0..255: what stays the same in all looks.
        place: of the screen, as a detector draws it: some way off. face: in the same pixels.
    """
    x, y, w, h = place
    top = max(y + h * 0.6, face[1] + face[3])
    low = y + h * 1.15
    if low <= top:
        return False
    columns = np.linspace(x + w * 0.06, x + w * 0.94, _COLUMNS)
    rows = np.linspace(top, low, _ROWS)
    steps = _steps(grey, rows, columns)
    below = (columns >= face[0] - face[2] / 4) & (columns <= face[0] + face[2] * 1.25)
    for slope in _SLOPES:
        shift = (columns - x - w / 2) / w * slope * h / (rows[1] - rows[0])
        at = np.arange(_ROWS)[:, None] + np.round(shift)[None].astype(np.int64)
        line = np.where((at >= 0) & (at < _ROWS), steps[np.clip(at, 0, _ROWS - 1), np.arange(_COLUMNS)], 0.0)
        for seen in (line >= _STEP, line <= -_STEP):
            runs = (seen.mean(axis=1) >= _RUNS_ON) & (seen[:, below].mean(axis=1) >= _RUNS_ON_BELOW)
            if runs.any():
                return True
    return False


def _steps(grey: Floats, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Floats:
    """float32 (rows, columns): how much brighter it gets downwards, the most within two rows of a place."""
    maps = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    slope = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3) / 4
    seen = cv2.remap(slope, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    brightest, darkest = (op(seen, np.ones((5, 1), np.uint8)) for op in (cv2.dilate, cv2.erode))
    return np.asarray(np.where(brightest > -darkest, brightest, darkest), dtype=np.float32)


def _lasting(screens: Sequence[Sequence[Box]]) -> list[Box]:
    """Screens that are found in the same place in half of the looks, and in two where there are as many."""
    needed = max(min(2, len(screens)), (len(screens) + 1) // 2)
    found: list[Box] = []
    for row in screens:
        for box in row:
            again = sum(any(overlap(box, other) >= _SAME_PLACE_IOU for other in look) for look in screens)
            if again >= needed:
                found.append(box)
    return found


def _share_inside(box: Box, place: Box) -> float:
    """How much of a box lies within another one, 0..1."""
    width = min(box[0] + box[2], place[0] + place[2]) - max(box[0], place[0])
    height = min(box[1] + box[3], place[1] + place[3]) - max(box[1], place[1])
    return max(0.0, width) * max(0.0, height) / max(box[2] * box[3], 1e-6)
