"""In what light somebody was seen. Knows no clips as files and no advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box
from runtime.people.views import PersonView

Light = Literal["good", "dark", "backlit", "glaring", "colourless"]

Sights = Sequence[tuple[NDArray[np.uint8], Sequence[PersonView]]]
_LUMA = np.array([0.299, 0.587, 0.114])
_DARK, _BLOWN_FROM, _BLOWN_SHARE = 45.0, 250.0, 0.3
_BACKLIT_RATIO, _BACKLIT_BELOW = 0.5, 90.0
_FLAT = 60.0
_COLOURLESS = 8.0
_STEP = 4


def light_of(sights: Sights) -> Light:
    """The light on a person's head, the median over views.

    In levels of luma (Rec. 601, 0..255), the first that holds:
    `colourless` (infrared, black and white): the largest and smallest of R, G and B are less than 8 apart in
    the mean of the picture; coloured rooms reach 24 and more. `dark`: the head's mean is below 45, its span
    (5 to 95 %) below 60. `backlit`: mean below 90 and half of the picture's, span below 60. `glaring`: three
    tenths of the head are at 250 and more. A head is never called dark for its own colour alone: dark skin
    and hair in good light have highlights, hence a wide span.

    Args:
        sights: frames (T, H, W, 3) RGB and the views in them, clip by clip; at least one view.
    """
    found = np.array([_measured(frames[view.frame], view.head) for frames, view in _each(sights)])
    head, span, blown, picture, colour = np.median(found, axis=0)
    if colour < _COLOURLESS:
        return "colourless"
    if span < _FLAT and head < _DARK:
        return "dark"
    if span < _FLAT and head < _BACKLIT_BELOW and head < _BACKLIT_RATIO * picture:
        return "backlit"
    return "glaring" if blown >= _BLOWN_SHARE else "good"


def is_colourless(frames: Sequence[NDArray[np.uint8]]) -> bool:
    """Whether a camera sees by infrared, or in black and white, in most of these frames (H, W, 3) RGB."""
    return bool(frames) and float(np.median([_colour(_thinned(frame)) for frame in frames])) < _COLOURLESS


def _each(sights: Sights) -> Iterator[tuple[NDArray[np.uint8], PersonView]]:
    for frames, views in sights:
        for view in views:
            yield frames, view


def _measured(frame: NDArray[np.uint8], head: Box) -> tuple[float, ...]:
    """Of the head: mean luma, span of luma, blown-out share; of the picture: mean luma, colour."""
    height, width = frame.shape[:2]
    left, top = max(0, int(head[0])), max(0, int(head[1]))
    right, bottom = min(width, int(head[0] + head[2]) + 1), min(height, int(head[1] + head[3]) + 1)
    thin = _thinned(frame)
    crop = frame[top:bottom, left:right].astype(np.float32)
    luma = (crop if crop.size else thin) @ _LUMA
    low, high = np.percentile(luma, [5, 95])
    return (
        float(luma.mean()),
        float(high - low),
        float((luma >= _BLOWN_FROM).mean()),
        float((thin @ _LUMA).mean()),
        _colour(thin),
    )


def _thinned(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    return frame[::_STEP, ::_STEP].astype(np.float32)


def _colour(thin: NDArray[np.float32]) -> float:
    return float((thin.max(axis=2) - thin.min(axis=2)).mean())
