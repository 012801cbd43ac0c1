"""Clips and the one legend of tensor letters. Knows no files and no cameras.

Legend, used everywhere: B batch · T frames · H height · W width · C channels · P scene tokens of a frame ·
M person tokens of a window · Q queries · D width · S subjects · L text tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import ContentError


@dataclass(frozen=True, slots=True)
class Clip:
    """A few seconds of video, already sampled.

    Attributes:
        frames: uint8, (T, H, W, 3), RGB, 0-255.
        fps: frames per second of `frames`, not of the camera.
        started_at: POSIX seconds (UTC) of frames[0].
    """

    frames: NDArray[np.uint8]
    fps: float
    started_at: float = 0.0

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if self.frames.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
            raise ContentError(
                f"a clip needs uint8 frames (T, H, W, 3), got {self.frames.dtype} {shape}.",
                "Decode the video to RGB first.",
            )
        if not self.fps > 0:
            raise ContentError(f"a clip needs a frame rate above 0, got {self.fps}.")

    @property
    def duration_s(self) -> float:
        """Seconds that the frames cover."""
        return len(self.frames) / self.fps


def window_indices(frame_count: int, fps: float, window_frames: int, window_fps: float) -> list[int]:
    """Indices of the last `window_frames` grid frames (the grid is absolute: multiples of 1/window_fps).

    A clip that is too short repeats its first frame.
    """
    last = frame_count - 1
    step = fps / window_fps
    newest = int(last / step)
    wanted = [newest - offset for offset in range(window_frames - 1, -1, -1)]
    return [min(last, max(0, round(index * step))) for index in wanted]


def window_starts(frame_count: int, window_frames: int) -> list[int]:
    """First frames of windows that together cover a clip; where they do not fit, they overlap."""
    if frame_count <= window_frames:
        return [0]
    count = -(-frame_count // window_frames)
    return [round(index * (frame_count - window_frames) / (count - 1)) for index in range(count)]


def even_indices(frame_count: int, wanted: int) -> list[int]:
    """`wanted` indices spread evenly over a clip: the middle of each of `wanted` equal parts."""
    return [min(frame_count - 1, int((i + 0.5) * frame_count / wanted)) for i in range(wanted)]
