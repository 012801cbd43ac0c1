"""Turns the vision engine's `people` output into boxes. Knows no engine and no identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box, PixelSpec, from_letterbox
from runtime.people.views import PersonBox

MIN_SCORE = 0.5
MAX_PEOPLE = 4
_SAME_PERSON_IOU = 0.35
PART = 9
"""The column of the logit that part of a body lies in a cell."""
PART_LOGIT = 1.0
_REACH = 1.0
"""A part within this many cells of the body of somebody whose head is found is theirs."""


def find_people(
    people: NDArray[np.float32], frame_width: int, frame_height: int, spec: PixelSpec
) -> list[PersonBox]:
    """People of one frame, best first, at most four.

    Args:
        people: float32 (P, 9 or 10): objectness logit, head centre x, y, width, height, body x0, y0, x1, y1,
            all in fractions of the vision input; and the logit of a part of a body.
        frame_width, frame_height: size of the original frame in pixels.
    """
    scores = 1 / (1 + np.exp(-people[:, 0].clip(-30, 30)))
    kept: list[tuple[float, Box, Box]] = []
    for index in np.argsort(-scores):
        score = float(scores[index])
        if not score >= MIN_SCORE or len(kept) == MAX_PEOPLE:
            break
        cx, cy, w, h, x0, y0, x1, y1 = (float(value) for value in people[index, 1:9])
        head: Box = (cx - w / 2, cy - h / 2, w, h)
        if w > 0 and h > 0 and all(overlap(head, other) < _SAME_PERSON_IOU for _, other, _ in kept):
            kept.append((score, head, (x0, y0, max(x1 - x0, w), max(y1 - y0, h))))
    return [
        PersonBox(
            head=from_letterbox(head, frame_width, frame_height, spec),
            body=from_letterbox(body, frame_width, frame_height, spec),
            score=score,
        )
        for score, head, body in kept
    ]


def stray_parts(people: NDArray[np.float32], rows: int, least: float = PART_LOGIT) -> int:
    """How many cells of one frame show part of a body that is nobody's whose head is found.

    A part is theirs in or beside the box of their body, and wherever it hangs together with such a part: a
    raised arm, a broom.

    Args:
        people: float32 (P, 9 or 10), as `find_people` takes them; without parts nobody is hidden.
        rows: of the grid of cells, P = rows x columns.
        least: logit from which there is part of a body.
    """
    if people.shape[1] <= PART:
        return 0
    parts = people[:, PART].reshape(rows, -1) > least
    if not parts.any():
        return 0
    mine = _beside_bodies(people[people[:, 0] > 0], rows, parts.shape[1]) & parts
    while (grown := _with_neighbours(mine) & parts).sum() > mine.sum():
        mine = grown
    return int((parts & ~mine).sum())


def _beside_bodies(found: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.bool_]:
    """bool (rows, columns): cells within reach of the body of somebody found."""
    x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
    left, top, right, bottom = (found[:, column, None] for column in (5, 6, 7, 8))
    beside = (x > left - _REACH / columns) & (x < right + _REACH / columns)
    level = (y > top - _REACH / rows) & (y < bottom + _REACH / rows)
    return np.asarray((level[:, :, None] & beside[:, None, :]).any(axis=0))


def _with_neighbours(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells (rows, columns) and the eight around each."""
    wide = np.pad(cells, 1)
    rows, columns = cells.shape
    grown = np.zeros_like(cells)
    for down in range(3):
        for right in range(3):
            grown |= wide[down : down + rows, right : right + columns]
    return grown


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a[2] * a[3] + b[2] * b[3] - both)
