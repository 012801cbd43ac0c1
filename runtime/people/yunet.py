"""Finds faces with YuNet (Wu, Peng and Yu 2023), turned and tilted ones too. Knows no engine and no identity.

Boxes come in the manner of dlib's detector, a square about brows, nose and mouth: alignment, tracks,
stillness and how large a face must be were measured with those. What embeds a face knows those that look at
the camera; of one that is turned away it makes somebody else. So a nearer look at each face says how it is
held, and one that is turned too far, or is not found again, has no quality: somebody is there, nobody knows
who.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box
from runtime.people.faces import UNREADABLE_PX, Face, size_quality
from runtime.people.turn import nose_aside, tilt_of, yaw_of

Floats = NDArray[np.float32]
SIDE = 640
_STRIDES = (8, 16, 32)
OUTPUTS = {
    f"{name}_{stride}": ((SIDE // stride) ** 2, width)
    for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
    for stride in _STRIDES
}
"""The network's outputs: of each, rows (one a cell) and numbers in a row."""
_MIN_SCORE, _MIN_SCORE_NEAR = 0.6, 0.3
_SAME_IOU = 0.3
_SQUARE, _LOWER = 0.98, 0.05
"""Side of dlib's square in root areas of YuNet's box, and how much lower it lies, in heights of that box: 58
faces of 20 clips embed alike on both (likeness 0.997 in the mean, 0.985 at least)."""
_NEAR = 3.0
"""Sides of the square that the nearer look covers: the face is 210 pixels wide in it. In the frame itself the
points of a head that is tilted by 35 degrees lie as if it were upright; here 25 to 30 are told."""
_UNCLEAR, _CLEAR = 0.5, 0.85
"""Scores of the nearer look: of faces in the clips 0.89 and more, of blurred ones 0.4 to 0.7."""
_NOSE_FRONT, _NOSE_ASIDE = 0.2, 0.6
_EYES_FRONT, _EYES_ASIDE = 0.32, 0.25
"""Where the nose lies and how far apart the eyes are (see `facing`): up to where nothing is lost, and from
where nothing is told. ADR 0029 has the measurements."""

Run = Callable[[Floats], Mapping[str, Floats]]
"""float32 (1, 3, 640, 640), BGR 0..255, to the outputs by name, in the shapes of `OUTPUTS`."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Box x, y, width, height; points float32 (5, 2): eyes, nose, corners of the mouth; score 0..1."""

    box: Box
    points: Floats
    score: float


class YuNet:
    """Faces of single frames; may be called by several threads."""

    def __init__(self, run: Run) -> None:
        """Args: run: the network."""
        self._run = run

    def find(self, frame: NDArray[np.uint8]) -> list[Face]:
        """Faces of a frame uint8 (H, W, 3), RGB; largest first."""
        height, width = frame.shape[:2]
        scale = min(SIDE / height, SIDE / width)
        shrunk = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrunk[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        squares = [(_square(found.box, scale), found.score) for found in self._look(shrunk, _MIN_SCORE)]
        faces = [self._face(frame, square, score) for square, score in squares]
        return sorted(faces, key=lambda face: -face.box[2])

    def _face(self, frame: NDArray[np.uint8], square: Box, score: float) -> Face:
        side = square[2]
        near = self._nearer(frame, square) if side > UNREADABLE_PX else None
        if near is None:
            return Face(square, score, 0.0)
        seen = facing(near.points, SIDE / _NEAR)
        clear = _share(near.score, _UNCLEAR, _CLEAR)
        return Face(
            square, score, size_quality(side) * seen * clear, tilt_of(near.points), seen == 0,
            yaw_of(near.points),
        )  # fmt: skip

    def _nearer(self, frame: NDArray[np.uint8], square: Box) -> _Found | None:
        """The face once more, seen from near; None where there is none in the middle of it."""
        x, y, side, _ = square
        scale = SIDE / (side * _NEAR)
        left, top = x - side * (_NEAR - 1) / 2, y - side * (_NEAR - 1) / 2
        move = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], dtype=np.float64)
        crop = np.asarray(cv2.warpAffine(frame, move, (SIDE, SIDE)), dtype=np.uint8)
        reach = SIDE / _NEAR / 2
        inside = [
            found
            for found in self._look(crop, _MIN_SCORE_NEAR)
            if abs(found.box[0] + found.box[2] / 2 - SIDE / 2) < reach
            and abs(found.box[1] + found.box[3] / 2 - SIDE / 2) < reach
        ]
        return max(inside, key=lambda found: found.score, default=None)

    def _look(self, pixels: NDArray[np.uint8], least: float) -> list[_Found]:
        """Faces of uint8 (640, 640, 3), RGB."""
        planes = pixels[:, :, ::-1].transpose(2, 0, 1)[None]
        outputs = self._run(np.ascontiguousarray(planes, dtype=np.float32))
        found = [one for stride in _STRIDES for one in _read(outputs, stride, least)]
        boxes, scores = [list(one.box) for one in found], [one.score for one in found]
        best = cv2.dnn.NMSBoxes(boxes, scores, least, _SAME_IOU)
        return [found[int(index)] for index in np.asarray(best).reshape(-1)]


def facing(points: Floats, side: float) -> float:
    """How far a face looks towards the camera, 0..1; at 0 nobody can tell whose it is.

    Who turns to a side shows the nose away from the middle between the eyes, and the eyes closer together.
    Both are taken along the line of the eyes, so that a tilted head is not turned, and the worse one counts:
    of a head in profile the network puts all points into its middle, and the nose alone seems straight.

    Args:
        points: float32 (5, 2), pixels: eyes, nose, corners of the mouth.
        side: of the face's square, in the same pixels.
    """
    apart = float(np.linalg.norm(points[1] - points[0]))
    aside = abs(nose_aside(points))
    return min(_share(aside, _NOSE_ASIDE, _NOSE_FRONT), _share(apart / side, _EYES_ASIDE, _EYES_FRONT))


def _read(outputs: Mapping[str, Floats], stride: int, least: float) -> list[_Found]:
    """The cells of one grid that say `face`: centres are offsets in cells, sizes are logarithms."""
    cells = SIDE // stride
    sure = np.sqrt(np.clip(outputs[f"cls_{stride}"][:, 0] * outputs[f"obj_{stride}"][:, 0], 0, 1))
    found = []
    for row in np.flatnonzero(sure >= least):
        cell = np.array([row % cells, row // cells], dtype=np.float32)
        x, y, w, h = outputs[f"bbox_{stride}"][row]
        width, height = (float(np.exp(np.clip(size, -10, 10)) * stride) for size in (w, h))
        cx, cy = float((cell[0] + x) * stride), float((cell[1] + y) * stride)
        points = (outputs[f"kps_{stride}"][row].reshape(5, 2) + cell) * stride
        box = (cx - width / 2, cy - height / 2, width, height)
        found.append(_Found(box, points.astype(np.float32), float(sure[row])))
    return found


def _square(box: Box, scale: float) -> Box:
    """dlib's box of the face that YuNet draws this one about, in pixels of the frame."""
    x, y, w, h = (value / scale for value in box)
    side = _SQUARE * math.sqrt(w * h)
    return (x + w / 2 - side / 2, y + h * (0.5 + _LOWER) - side / 2, side, side)


def _share(value: float, none: float, whole: float) -> float:
    """0 at `none` and beyond it, 1 at `whole` and beyond, evenly in between."""
    return min(1.0, max(0.0, (value - none) / (whole - none)))
