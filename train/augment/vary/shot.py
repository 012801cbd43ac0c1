"""Frames of one person, and where the head is. Knows no variation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shot:
    """Some frames of one person.

    Attributes:
        frames: uint8 (T, H, W, 3) RGB.
        heads: float32 (T, 4), x, y, width, height in pixels; NaN where the head is not seen.
        fps: frames per second.
    """

    frames: Frames
    heads: Floats
    fps: float

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            raise ValueError(
                f"frames must be uint8 (T, H, W, 3), got {self.frames.dtype} {self.frames.shape}"
            )
        if self.heads.shape != (len(self.frames), 4):
            raise ValueError(f"heads must be ({len(self.frames)}, 4), got {self.heads.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frames.shape[2], self.frames.shape[1]

    def with_pixels(self, change: Callable[[Floats], Floats]) -> Shot:
        """Each frame changed as float32 (H, W, 3) in 0..255; heads stay where they are."""
        made = [np.clip(change(frame.astype(np.float32)), 0, 255) for frame in self.frames]
        return replace(self, frames=np.stack(made).astype(np.uint8))

    def taken(self, index: NDArray[np.int64]) -> Shot:
        """These frames, in this order; a frame may come twice."""
        return replace(self, frames=self.frames[index], heads=self.heads[index])


def seen(head: Floats) -> bool:
    """Whether a head's box is known."""
    return bool(np.isfinite(head).all())
