"""Another place of the camera: crop, scale, view from the side. Heads move with the picture."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augment.vary.shot import Floats, Shot, seen

_LEAST_HEAD_PX = 24.0


def crop(shot: Shot, rng: np.random.Generator) -> Shot:
    """A part of the picture, 60 to 95 % of each side, enlarged; it holds every head that is seen."""
    width, height = shot.size
    share = float(rng.uniform(0.6, 0.95))
    heads = shot.heads[np.isfinite(shot.heads).all(axis=1)]
    low, high = _span_of(heads, width, height)
    need = max((high[0] - low[0]) / width, (high[1] - low[1]) / height)
    share = min(1.0, max(share, need))
    size = np.array([width, height]) * share
    first = np.maximum(0, high - size)
    last = np.minimum(np.array([width, height]) - size, low)
    corner = first + rng.random(2) * np.maximum(0, last - first)
    return _warped(shot, np.array([[1 / share, 0, -corner[0] / share], [0, 1 / share, -corner[1] / share]]))


def distance(shot: Shot, rng: np.random.Generator) -> Shot:
    """Farther away: the picture at 45 to 90 % of its size, its edges continued around it.

    No head gets smaller than 24 pixels by it.
    """
    heads = shot.heads[np.isfinite(shot.heads).all(axis=1)]
    least = _LEAST_HEAD_PX / float(heads[:, 3].min()) if len(heads) else 0.45
    share = float(rng.uniform(min(0.9, max(0.45, least)), 0.9))
    width, height = shot.size
    x, y = (1 - share) * width * rng.random(), (1 - share) * height
    return _warped(shot, np.array([[share, 0, x], [0, share, y]]))


def view(shot: Shot, rng: np.random.Generator) -> Shot:
    """From a little to the side and above or below: sheared by up to 8 %, tilted by up to 6 degrees."""
    width, height = shot.size
    angle, shear = np.deg2rad(float(rng.uniform(-6, 6))), float(rng.uniform(-0.08, 0.08))
    squeeze = float(rng.uniform(0.9, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[squeeze, shear], [0.0, 1.0]])
    middle = np.array([width / 2, height / 2])
    return _warped(shot, np.hstack([linear, (middle - linear @ middle)[:, None]]))


def mirror(shot: Shot, rng: np.random.Generator) -> Shot:
    """Left and right exchanged. Not part of the usual mix: moles and partings change sides."""
    del rng
    heads = shot.heads.copy()
    heads[:, 0] = shot.size[0] - heads[:, 0] - heads[:, 2]
    return replace(shot, frames=np.ascontiguousarray(shot.frames[:, :, ::-1]), heads=heads)


def _span_of(heads: Floats, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners around all heads, inside the picture; its middle where there is none."""
    if not len(heads):
        middle = np.array([width / 2, height / 2])
        return middle, middle
    low = np.clip(heads[:, :2].min(axis=0), 0, [width, height])
    high = np.clip((heads[:, :2] + heads[:, 2:]).max(axis=0), 0, [width, height])
    return low.astype(np.float64), high.astype(np.float64)


def _warped(shot: Shot, matrix: NDArray[np.float64]) -> Shot:
    """Pixels and heads through an affine matrix (2, 3); heads stay upright boxes."""
    size = shot.size
    smaller = float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))) < 1
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    frames = [
        cv2.warpAffine(frame, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        for frame in shot.frames
    ]
    heads = np.full_like(shot.heads, np.nan)
    for row, (x, y, w, h) in enumerate(shot.heads):
        if not seen(shot.heads[row]):
            continue
        corners = np.array([[x, y, 1], [x + w, y, 1], [x, y + h, 1], [x + w, y + h, 1]]) @ matrix.T
        low, high = corners.min(axis=0), corners.max(axis=0)
        heads[row] = (*low, *(high - low))
    return replace(shot, frames=np.stack(frames).astype(np.uint8), heads=heads)
