"""The seam of every camera: open, read, close. Knows no rings, no processes and no models."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_USER = re.compile(r"(?<=://)\S*@")
_QUERY = re.compile(r"\?\S*")


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """One picture.

    Attributes:
        pixels: uint8 (H, W, 3), RGB, 0-255, upright, at most 640 x 480 (`runtime.frames.ring_size`).
        at: POSIX seconds (UTC) when it was taken, as well as this box can tell.
        index: its place on the absolute time grid, `floor(at * grid_fps)`; grows from frame to frame.
    """

    pixels: NDArray[np.uint8]
    at: float
    index: int


class Camera(Protocol):
    """A source of frames on the time grid. Used by one thread; may block for as long as it was told."""

    def open(self) -> None:
        """Connect.

        Raises:
            CameraError: it cannot be reached, or has no picture, within its opening deadline.
        """
        ...

    def read(self, timeout_ms: int) -> CameraFrame | None:
        """The next frame on the grid; None: the source has ended for good.

        Raises:
            CameraError: no frame within `timeout_ms`, or the connection broke; open it again.
        """
        ...

    def close(self) -> None:
        """Let go of everything; may be called twice."""
        ...


class Grid:
    """Chooses the first frame of every cell of the absolute grid (multiples of 1 / fps)."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._last: int | None = None

    def take(self, at: float) -> int | None:
        """The grid index of a frame taken at `at`, or None when its cell (or a later one) has a frame."""
        index = math.floor(at * self._fps)
        if self._last is not None and index <= self._last:
            return None
        self._last = index
        return index


def redact(text: str) -> str:
    """A text in which no URL shows its user, password or query."""
    return _QUERY.sub("?…", _USER.sub("…@", text))
