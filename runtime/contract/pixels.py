"""The only resize, crop and normalise code; training uses it too. Knows no video files and no engines.

Resampling is separable linear interpolation with a triangle filter widened when shrinking (antialiased),
written as two small matrix products, so that it is the same everywhere that numpy is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x, y, width, height; pixels of the frame unless a docstring says fractions."""


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """How frames and head crops are prepared; travels in the bundle.

    Attributes:
        width, height: size of the vision engine's input in pixels; frames are letterboxed into it.
        crop: side of a head crop in pixels.
        crop_margin: the square crop's side is this many times the longer side of the head box.
        body_width, body_height: size of a body crop in pixels.
        body_span: what a body crop holds, in heights of the head box: to either side of the head's
            centre, above and below it.
        window_frames, window_fps: a window is the last `window_frames` grid frames at `window_fps`.
        mean, std: per channel, of pixels scaled to 0..1.
    """

    width: int = 192
    height: int = 144
    crop: int = 64
    crop_margin: float = 1.35
    body_width: int = 80
    body_height: int = 112
    body_span: tuple[float, float, float] = (2.8, 1.8, 7.0)
    window_frames: int = 8
    window_fps: float = 4.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@lru_cache(maxsize=4096)
def _weights(start: float, length: float, source: int, target: int) -> NDArray[np.float32]:
    """float32 (target, source): rows average `length / target` source pixels around their centre."""
    scale = length / target
    centres = start + (np.arange(target, dtype=np.float64) + 0.5) * scale
    support = max(scale, 1.0)
    distance = np.abs((np.arange(source, dtype=np.float64) + 0.5)[None, :] - centres[:, None]) / support
    weights = np.clip(1.0 - distance, 0.0, None)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / np.where(total > 0, total, 1.0), dtype=np.float32)


def resample(frame: NDArray[np.uint8], box: Box, width: int, height: int) -> NDArray[np.float32]:
    """Cut `box` out of a frame and resize it; what lies outside the frame is black.

    Args:
        frame: uint8 (H, W, C), 0-255.
        box: region in pixels; may reach over the border.

    Returns:
        float32 (height, width, C), 0-255.
    """
    x, y, w, h = (round(value * 4) / 4 for value in box)
    rows = _weights(y, max(h, 0.25), frame.shape[0], height)
    columns = _weights(x, max(w, 0.25), frame.shape[1], width)
    top, bottom = _span(rows)
    left, right = _span(columns)
    part = frame[top:bottom, left:right].astype(np.float32)
    mixed = np.tensordot(rows[:, top:bottom], part, axes=(1, 0))
    out = np.tensordot(mixed, columns[:, left:right], axes=(1, 1))
    return np.ascontiguousarray(out.transpose(0, 2, 1))


def _span(weights: NDArray[np.float32]) -> tuple[int, int]:
    used = np.flatnonzero(weights.any(axis=0))
    return (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)


def letterbox(frame_width: int, frame_height: int, spec: PixelSpec) -> Box:
    """The region of the frame's plane that fills the vision input: the frame centred, aspect kept."""
    scale = max(frame_width / spec.width, frame_height / spec.height)
    width, height = spec.width * scale, spec.height * scale
    return ((frame_width - width) / 2, (frame_height - height) / 2, width, height)


def to_vision_input(frames: NDArray[np.uint8], spec: PixelSpec) -> NDArray[np.float32]:
    """Frames as the vision engine wants them.

    Args:
        frames: uint8 (T, H, W, 3), RGB.

    Returns:
        float32 (T, 3, spec.height, spec.width), normalised.
    """
    box = letterbox(frames.shape[2], frames.shape[1], spec)
    resized = np.stack([resample(frame, box, spec.width, spec.height) for frame in frames])
    return normalise(resized, spec)


def to_crop(frame: NDArray[np.uint8], head: Box, spec: PixelSpec) -> NDArray[np.float32]:
    """One head as the head encoder wants it, before normalising: float32 (crop, crop, 3), 0-255."""
    x, y, w, h = head
    side = max(w, h) * spec.crop_margin
    square = (x + w / 2 - side / 2, y + h / 2 - side / 2, side, side)
    return resample(frame, square, spec.crop, spec.crop)


def to_body_crop(frame: NDArray[np.uint8], head: Box, spec: PixelSpec) -> NDArray[np.float32]:
    """Somebody from head to feet, before normalising: float32 (body_height, body_width, 3), 0-255."""
    x, y, w, h = head
    side, above, below = (h * heads for heads in spec.body_span)
    region = (x + w / 2 - side, y + h / 2 - above, 2 * side, above + below)
    return resample(frame, region, spec.body_width, spec.body_height)


def normalise(pixels: NDArray[np.float32], spec: PixelSpec) -> NDArray[np.float32]:
    """(N, H, W, 3) in 0-255 to (N, 3, H, W), zero mean and unit deviation per channel."""
    mean = np.asarray(spec.mean, dtype=np.float32)[:, None, None] * 255
    std = np.asarray(spec.std, dtype=np.float32)[:, None, None] * 255
    planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))  # long rows first: numpy is slow on rows of 3
    return np.asarray((planes - mean) / std, dtype=np.float32)


def from_letterbox(box: Box, frame_width: int, frame_height: int, spec: PixelSpec) -> Box:
    """A box in fractions of the vision input to pixels of the original frame."""
    left, top, width, height = letterbox(frame_width, frame_height, spec)
    x, y, w, h = box
    return (left + x * width, top + y * height, w * width, h * height)


def to_letterbox(box: Box, frame_width: int, frame_height: int, spec: PixelSpec) -> Box:
    """A box in pixels of the original frame to fractions of the vision input."""
    left, top, width, height = letterbox(frame_width, frame_height, spec)
    x, y, w, h = box
    return ((x - left) / width, (y - top) / height, w / width, h / height)
