"""The contact sheet: the people of a clip, numbered, with the views they were found by. Knows no models."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import resample
from runtime.people.cluster import spread_views
from runtime.people.views import PersonView

_TILE_PX, _TEXT_PX, _TITLE_PX = 96, 16, 22
_COLUMNS = 8
_MARGIN = 1.6
_INK, _PAPER = (30, 30, 30), 245


def contact_sheet(
    frames: NDArray[np.uint8], people: Sequence[Sequence[PersonView]], fps: float
) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) RGB: one row a person, counted from 1; under each crop its second and quality.

    Args:
        frames: uint8 (T, H, W, 3), the frames that views index.
        people: views by person, in the order of their numbers.
    """
    row_px = _TITLE_PX + _TILE_PX + _TEXT_PX
    sheet = np.full((row_px * len(people), _TILE_PX * _COLUMNS, 3), _PAPER, dtype=np.uint8)
    for number, views in enumerate(people):
        top = number * row_px
        _write(sheet, f"Person {number + 1}: {len(views)} views", 4, top + _TITLE_PX - 7, 0.5)
        shown = sorted(spread_views(views, _COLUMNS), key=lambda view: view.frame)
        for column, view in enumerate(shown):
            left, above = column * _TILE_PX, top + _TITLE_PX
            sheet[above : above + _TILE_PX, left : left + _TILE_PX] = _tile(frames[view.frame], view)
            text = f"{view.frame / fps:.1f}s q{view.quality:.2f}"
            _write(sheet, text, left + 3, above + _TILE_PX + _TEXT_PX - 5, 0.35)
    return sheet


def _tile(frame: NDArray[np.uint8], view: PersonView) -> NDArray[np.uint8]:
    x, y, w, h = view.head
    side = max(w, h) * _MARGIN
    square = (x + w / 2 - side / 2, y + h / 2 - side / 2, side, side)
    return resample(frame, square, _TILE_PX, _TILE_PX).round().clip(0, 255).astype(np.uint8)


def _write(sheet: NDArray[np.uint8], text: str, x: int, y: int, size: float) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
