"""A camera that plays video files at their own speed. Knows no networks and no rings.

The clips follow one another; frame times are the wall clock's, so that the rest of the box cannot tell the
difference to a real camera.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from device.cameras.base import CameraFrame, Grid
from runtime.contract.errors import CameraError
from runtime.frames import ring_size

_DEFAULT_FPS = 25.0
_MAX_LATE_S = 1.0


class ReplayCamera:
    """Plays files in a loop, or once.

    Args:
        paths: one or more video files.
        loop: start again after the last one.
        grid_fps: frames per second that are handed out.
        clock, sleep: POSIX seconds, and waiting for some seconds (for tests).
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        loop: bool,
        grid_fps: float,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._paths = tuple(paths)
        self._loop = loop
        self._grid_fps = grid_fps
        self._grid = Grid(grid_fps)
        self._clock = clock
        self._sleep = sleep
        self._frames: Iterator[tuple[float, av.VideoFrame]] | None = None
        self._size: tuple[int, int] | None = None
        self._start_at = 0.0

    def open(self) -> None:
        """Look at every file; see `Camera.open`."""
        if not self._paths:
            raise CameraError("a replay camera needs a video file, got none.", "Add one to its source.")
        sizes = [_size_of(path) for path in self._paths]
        if any(abs(w * sizes[0][1] - h * sizes[0][0]) > 0.02 * w * sizes[0][1] for w, h in sizes):
            raise CameraError(
                f"the clips of one replay camera need one aspect ratio, got {sizes}.",
                "Use clips of one size.",
            )
        self._size = ring_size(*sizes[0])
        self._frames = self._played()
        self._grid = Grid(self._grid_fps)
        self._start_at = self._clock()

    def read(self, timeout_ms: int) -> CameraFrame | None:
        """See `Camera.read`."""
        if self._frames is None or self._size is None:
            raise CameraError("the replay camera was read before it was opened.", "Open it first.")
        deadline = self._clock() + timeout_ms / 1000
        for offset_s, frame in self._frames:
            at = self._start_at + offset_s
            late_s = self._clock() - at
            if late_s > _MAX_LATE_S:  # the box was asleep or too slow: go on from now, never race through
                self._start_at += late_s
                at += late_s
            index = self._grid.take(at)
            if index is None:
                continue
            wait_s = at - self._clock()
            if self._clock() + wait_s > deadline:
                raise CameraError(
                    f"no frame within {timeout_ms} ms.", "Use a clip with more frames per second."
                )
            if wait_s > 0:
                self._sleep(wait_s)
            return CameraFrame(_rgb(frame, self._size), at, index)
        return None

    def close(self) -> None:
        """See `Camera.close`."""
        self._frames = None

    def _played(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Frames with their seconds since the start of the first clip."""
        offset_s = 0.0
        while True:
            played_from_s = offset_s
            for path in self._paths:
                end_s = offset_s
                for within_s, frame, period_s in _decoded(path):
                    end_s = offset_s + within_s + period_s
                    yield offset_s + within_s, frame
                offset_s = end_s
            if not self._loop or offset_s <= played_from_s:
                return


def _open(path: Path) -> av.container.InputContainer:
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise CameraError(
            f"cannot play {path.name}: {type(error).__name__}.", "Check the path in the camera's source."
        ) from error
    if not container.streams.video:
        container.close()
        raise CameraError(f"cannot play {path.name}: it has no video.", "Use a video file.")
    return container


def _size_of(path: Path) -> tuple[int, int]:
    """Upright width and height in pixels of the first frame, which must decode."""
    for _, frame, _ in _decoded(path):
        return (frame.height, frame.width) if _turns(frame) % 2 else (frame.width, frame.height)
    raise CameraError(f"cannot play {path.name}: it has no frame.", "Use a video file.")


def _decoded(path: Path) -> Iterator[tuple[float, av.VideoFrame, float]]:
    """Seconds since the clip's first frame, the frame, and the seconds that it is shown.

    A file that ends in damage just ends there.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        period_s = 1.0 / float(stream.average_rate or _DEFAULT_FPS)
        first_s: float | None = None
        within_s = -period_s
        try:
            for frame in container.decode(stream):
                stamp_s = frame.time
                if stamp_s is not None and first_s is None:
                    first_s = stamp_s
                # a missing or backward time stamp gets its place from the frame rate
                steady_s = within_s + period_s
                stamped_s = steady_s if stamp_s is None or first_s is None else stamp_s - first_s
                within_s = stamped_s if stamped_s > within_s else steady_s
                yield within_s, frame, period_s
        except av.FFmpegError as error:
            if first_s is None:
                raise CameraError(
                    f"cannot play {path.name}: {type(error).__name__}.", "Copy the file again."
                ) from error


def _turns(frame: av.VideoFrame) -> int:
    """Quarter turns to the left that put a frame upright (phones store them sideways)."""
    return round(frame.rotation / 90) % 4


def _rgb(frame: av.VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), RGB, 0-255, upright, at (width, height) = `size`."""
    turns = _turns(frame)
    width, height = size[::-1] if turns % 2 else size
    array = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(array, turns), dtype=np.uint8)
