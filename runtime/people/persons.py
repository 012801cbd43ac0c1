"""Finds people in ordinary footage, face or none, with a YOLOX network (Ge 2021). Knows no engine.

A face detector is silent about a turned back. What is found here has no name: it says that somebody is there.
The same look finds screens, on which somebody may only seem to be there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box

Floats = NDArray[np.float32]
SIDE = 416
_STRIDES = (8, 16, 32)
BOXES = (sum((SIDE // stride) ** 2 for stride in _STRIDES), 85)
"""Rows of the network's output, and numbers in each: box, objectness, and the 80 classes of COCO."""
_PERSON, _SCREENS = 5, (67, 68, 72)
"""Columns of a person, and of televisions, laptops and telephones."""
_GREY = 114
MIN_SCORE, _MIN_SCREEN = 0.4, 0.3
"""Scores. A television whose picture changes is found at 0.3 to 0.86, the nearer the surer."""
_SAME_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Sight:
    """What is found in one frame: boxes x, y, width, height in its pixels, the surest first."""

    people: list[Box]
    screens: list[Box]


class PersonFinder:
    """People of single frames, and screens."""

    def __init__(self, run: Callable[[Floats], Floats]) -> None:
        """Args: run: float32 (1, 3, 416, 416), BGR 0..255, to the network's output (3549, 85)."""
        self._run = run

    def find(self, frame: NDArray[np.uint8]) -> Sight:
        """Everything of a frame uint8 (H, W, 3), RGB."""
        height, width = frame.shape[:2]
        scale = min(SIDE / height, SIDE / width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.full((SIDE, SIDE, 3), _GREY, dtype=np.float32)
        pixels[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
        found = self._run(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        people = _boxes(found, found[:, _PERSON], MIN_SCORE, scale, width, height)
        of_screens = found[:, _SCREENS].max(axis=1)
        return Sight(people, _boxes(found, of_screens, _MIN_SCREEN, scale, width, height))


def _boxes(found: Floats, kind: Floats, least: float, scale: float, width: int, height: int) -> list[Box]:
    """The network's rows, whose centres are offsets in cells and whose sizes are logarithms, to boxes.

    Args:
        kind: of each row, how sure it is that an object is of the wanted kind, 0..1.
    """
    cells, strides = _grid()
    scores = found[:, 4] * kind
    keep = np.flatnonzero(scores >= least)
    centre = (found[keep, :2] + cells[keep]) * strides[keep, None] / scale
    size = np.exp(np.clip(found[keep, 2:4], -10, 10)) * strides[keep, None] / scale
    low = np.clip(centre - size / 2, 0, (width, height))
    high = np.clip(centre + size / 2, 0, (width, height))
    boxes = [
        (float(x0), float(y0), float(x1 - x0), float(y1 - y0))
        for (x0, y0), (x1, y1) in zip(low, high, strict=True)
    ]
    best = cv2.dnn.NMSBoxes([list(box) for box in boxes], scores[keep].tolist(), least, _SAME_IOU)
    return [boxes[int(index)] for index in np.asarray(best).reshape(-1)]


def _grid() -> tuple[Floats, Floats]:
    """Cell of each row (N, 2), column first, and its stride (N,)."""
    cells, strides = [], []
    for stride in _STRIDES:
        count = SIDE // stride
        rows, columns = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
        cells.append(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        strides.append(np.full(count * count, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
