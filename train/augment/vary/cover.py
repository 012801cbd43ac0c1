"""Things between camera and person, and other clothes and rooms around the same head."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augment.vary.shot import Floats, Shot, seen

_MOST_COVERED = 0.4
_TRUNK, _CORE = (1.1, 4.5, 1.7), (1.4, 2.4, 0.5)
"""Where a trunk may be and where it surely is, for somebody upright.

From and to in head heights below the head's top, and head widths to either side of its middle."""
_SAME_CLOTH = 24.0


def occlusion(shot: Shot, rng: np.random.Generator) -> Shot:
    """Something one-coloured passes before the head, covering at most 40 % of it at any moment."""
    tone = rng.integers(20, 236, 3).astype(np.float32)
    share, angle = float(rng.uniform(0.15, _MOST_COVERED)), float(rng.uniform(0, 2 * np.pi))
    drift, grain = float(rng.uniform(-0.3, 0.3)), float(rng.uniform(2, 12))
    width, height = shot.size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    frames = shot.frames.astype(np.float32)
    for row, head in enumerate(shot.heads):
        if not seen(head):
            continue
        turned = angle + drift * row / max(1, len(shot.heads) - 1)
        across = (x - head[0]) / head[2] - 0.5, (y - head[1]) / head[3] - 0.5
        along = np.cos(turned) * across[0] + np.sin(turned) * across[1]
        inside = (abs(across[0]) <= 0.5) & (abs(across[1]) <= 0.5)
        edge = np.quantile(along[inside], 1 - share) if inside.any() else 1.0
        mask = (along >= edge) & (abs(across[0]) < 1.2) & (abs(across[1]) < 1.2)
        frames[row][mask] = tone + rng.normal(0, grain, (int(mask.sum()), 1))
    return replace(shot, frames=np.clip(frames, 0, 255).astype(np.uint8))


def clothes(shot: Shot, rng: np.random.Generator) -> Shot:
    """The colour that the chest has becomes another one, as far as it is connected; light and folds stay."""
    turn, lift = rng.uniform(-50, 50, 2).astype(np.float32), float(rng.uniform(-30, 30))
    frames = shot.frames.copy()
    cores = [_core(frame, head) for frame, head in zip(frames, shot.heads, strict=True) if seen(head)]
    chests = [np.median(core, axis=0) for core in cores if len(core)]
    if not chests:
        return shot
    cloth = np.median(chests, axis=0)
    for row, head in enumerate(shot.heads):
        if seen(head):
            frames[row] = _recoloured(frames[row], head, cloth, np.array([lift, *turn], dtype=np.float32))
    return replace(shot, frames=frames)


def background(shot: Shot, rng: np.random.Generator) -> Shot:
    """Another wall: what is far from the person gets other colours and another brightness."""
    tint, lift = rng.uniform(-20, 20, 2).astype(np.float32), float(rng.uniform(-40, 40))
    frames = shot.frames.copy()
    for row, head in enumerate(shot.heads):
        if not seen(head):
            continue
        lab = _lab(shot.frames[row])
        far = (1.0 - _near(head, shot.size))[..., None]
        lab += far * np.array([lift, *tint], dtype=np.float32)
        frames[row] = _rgb(lab)
    return replace(shot, frames=frames)


def _box_below(
    head: Floats, size: tuple[int, int], first: float, last: float, half_width: float
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in pixels, inside the picture, from head heights and widths."""
    x, y, w, h = (float(value) for value in head)
    left, right = x + (0.5 - half_width) * w, x + (0.5 + half_width) * w
    return (
        round(min(size[0], max(0, left))), round(min(size[1], max(0, y + first * h))),
        round(max(0, min(size[0], right))), round(max(0, min(size[1], y + last * h))),
    )  # fmt: skip


def _core(frame: NDArray[np.uint8], head: Floats) -> Floats:
    """L*a*b* of the chest's pixels (N, 3); none where it is outside the picture."""
    x0, y0, x1, y1 = _box_below(head, (frame.shape[1], frame.shape[0]), *_CORE)
    if x1 - x0 < 3 or y1 - y0 < 3:
        return np.zeros((0, 3), dtype=np.float32)
    return _lab(np.ascontiguousarray(frame[y0:y1, x0:x1])).reshape(-1, 3)


def _recoloured(
    frame: NDArray[np.uint8], head: Floats, cloth: NDArray[np.floating], shift: Floats
) -> NDArray[np.uint8]:
    size = frame.shape[1], frame.shape[0]
    left, top, right, bottom = _box_below(head, size, *_TRUNK)
    x0, y0, x1, y1 = _box_below(head, size, *_CORE)
    lab = _lab(frame)
    part = lab[top:bottom, left:right]
    if not part.size:
        return frame
    apart = np.linalg.norm((part - cloth) * np.array([0.35, 1, 1]), axis=2)
    _, pieces = cv2.connectedComponents((apart < _SAME_CLOTH).astype(np.uint8))
    core = pieces[y0 - top : y1 - top, x0 - left : x1 - left]
    worn = np.isin(pieces, np.setdiff1d(np.unique(core), [0])).astype(np.float32)
    part += cv2.GaussianBlur(worn, (0, 0), 1.2)[..., None] * shift
    return _rgb(lab)


def _near(head: Floats, size: tuple[int, int]) -> Floats:
    """float32 (H, W): 1 at the person, 0 two heads beside and above it, smooth between."""
    width, height = size
    mask = np.zeros((height, width), dtype=np.float32)
    x, y, w, h = (float(value) for value in head)
    left, top, right, _ = _box_below(head, size, *_TRUNK)
    mask[max(0, round(y - 0.3 * h)) : max(0, round(y + 1.3 * h)),
         max(0, round(x - 0.3 * w)) : max(0, round(x + 1.3 * w))] = 1.0  # fmt: skip
    mask[top:, left:right] = 1.0
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.35 * w)), dtype=np.float32)


def _lab(frame: NDArray[np.uint8]) -> Floats:
    """CIE L*a*b* as 8-bit OpenCV scales it, float32 (H, W, 3)."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2LAB), dtype=np.float32)


def _rgb(lab: Floats) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB), dtype=np.uint8)
