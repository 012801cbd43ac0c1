"""Tells faces that never move: framed photographs, posters, a frozen screen. Knows no engine and no identity.

Nobody holds so still that only the sensor's noise is left for a second and more; a picture does. A lamp that
is switched on changes a picture too, so brightness and contrast are taken out before two looks are compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box
from runtime.people.views import PersonView

_MIN_SPAN_S, _MIN_LOOKS = 1.0, 3
_MAX_DRIFT = 0.2
"""Of the face's width: the detector's boxes jump by so much on a picture."""
_STILL = 2.2
"""Grey levels. The largest change between two looks was 4.6 and more on 20 clips of real faces (six looks
over 1.5 to 4 seconds), and 1.5 at the most on a frame of them shown as a photograph: with noise of up to 10
grey levels, under changing light, and through a video codec."""
_BLUR_PX = 1.5
_SIDE = 48


def still_faces(frames: NDArray[np.uint8], views: Sequence[PersonView]) -> frozenset[int]:
    """The tracks that stay where they are and never change.

    Args:
        frames: uint8 (T, H, W, 3), RGB; `frame` of a view is an index into it.
        views: of faces; a track seen for less than a second, or in fewer than three looks, is never still.
    """
    tracks = sorted({view.track for view in views})
    return frozenset(t for t in tracks if _is_still(frames, [view for view in views if view.track == t]))


def _is_still(frames: NDArray[np.uint8], views: Sequence[PersonView]) -> bool:
    views = sorted(views, key=lambda view: view.frame)
    if len(views) < _MIN_LOOKS or views[-1].t_s - views[0].t_s < _MIN_SPAN_S:
        return False
    middles = np.asarray([_middle(view.head) for view in views])
    width = float(np.median([view.head[2] for view in views]))
    if np.ptp(middles, axis=0).max() > _MAX_DRIFT * width:
        return False
    x, y = np.median(middles, axis=0)
    crops = [_crop(frames[view.frame], float(x), float(y), width) for view in views]
    return all(_changed(one, other) < _STILL for one, other in itertools.pairwise(crops))


def _middle(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _crop(frame: NDArray[np.uint8], x: float, y: float, width: float) -> NDArray[np.float32]:
    """float32 (48, 48), grey and a little blurred: the same place in every frame."""
    blurred = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (0, 0), _BLUR_PX)
    side = max(8, round(width))
    patch = cv2.getRectSubPix(blurred, (side, side), (x, y))
    return cv2.resize(patch, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def _changed(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean absolute difference in grey levels, after the best gain and offset of brightness."""
    a, b = one - one.mean(), other - other.mean()
    gain = float((a * b).sum() / max(float((a * a).sum()), 1e-6))
    return float(np.abs(b - gain * a).mean())
