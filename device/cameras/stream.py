"""A camera behind a URL (RTSP, HTTP) or a local video device, through PyAV. Knows no rings and no models.

Opening and every read have a deadline inside FFmpeg; because FFmpeg can still hang (drivers, name look-ups),
a camera lives in a process of its own that the daemon may kill. Frame times are arrival times on this box:
the clocks of cameras are not believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import av
import numpy as np

from device.cameras.base import CameraFrame, Grid, redact
from runtime.contract.errors import CameraError
from runtime.frames import ring_size

_RTSP = ("rtsp://", "rtsps://")


class StreamCamera:
    """Frames of a network stream or a video device.

    Args:
        url: `rtsp://…`, `http://…`, or a device such as `/dev/video0`; credentials in it are never shown.
        grid_fps: frames per second that are handed out.
        open_timeout_ms, read_timeout_ms: how long connecting, and one packet, may take.
        clock: POSIX seconds (for tests).
    """

    def __init__(
        self,
        url: str,
        *,
        grid_fps: float,
        open_timeout_ms: int,
        read_timeout_ms: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._grid_fps = grid_fps
        self._grid = Grid(grid_fps)
        self._open_timeout_ms = open_timeout_ms
        self._read_timeout_ms = read_timeout_ms
        self._clock = clock
        self._container: av.container.InputContainer | None = None
        self._frames: Iterator[av.VideoFrame] | None = None

    def open(self) -> None:
        """See `Camera.open`."""
        self.close()
        device = self._url.startswith("/dev/")
        options = {"fflags": "nobuffer", "flags": "low_delay"}
        if self._url.startswith(_RTSP):
            options |= {"rtsp_transport": "tcp", "timeout": str(self._open_timeout_ms * 1000)}
        try:
            container = av.open(
                self._url,
                format="v4l2" if device else None,
                options=options,
                timeout=(self._open_timeout_ms / 1000, self._read_timeout_ms / 1000),
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise CameraError(
                f"cannot open {redact(self._url)}: {_reason(error)}.",
                "Check that the camera is on and that its source is right.",
            ) from error
        if not container.streams.video:
            container.close()
            raise CameraError(f"{redact(self._url)} has no video.", "Choose another stream of the camera.")
        self._container = container
        self._frames = container.decode(container.streams.video[0])
        self._grid = Grid(self._grid_fps)

    def read(self, timeout_ms: int) -> CameraFrame | None:
        """See `Camera.read`; a live source never ends, so its end is an error too."""
        if self._frames is None:
            raise CameraError("the camera was read before it was opened.", "Open it first.")
        deadline = time.monotonic() + timeout_ms / 1000
        try:
            for frame in self._frames:
                at = self._clock()
                index = self._grid.take(at)
                if index is not None:
                    width, height = ring_size(frame.width, frame.height)
                    array = frame.to_ndarray(format="rgb24", width=width, height=height)
                    return CameraFrame(np.ascontiguousarray(array, dtype=np.uint8), at, index)
                if time.monotonic() > deadline:
                    break
        except (av.FFmpegError, OSError) as error:
            raise CameraError(
                f"{redact(self._url)} broke off: {_reason(error)}.", "It is opened again by itself."
            ) from error
        raise CameraError(
            f"{redact(self._url)} gave no frame within {timeout_ms} ms, or ended.",
            "It is opened again by itself.",
        )

    def close(self) -> None:
        """See `Camera.close`."""
        self._frames = None
        if self._container is not None:
            self._container.close()
            self._container = None


def _reason(error: Exception) -> str:
    """FFmpeg's words without the URL (which may hold a password)."""
    return getattr(error, "strerror", None) or type(error).__name__


def was_denied(error: CameraError) -> bool:
    """Whether the camera refused the user or password; many lock an account after a few such tries."""
    return isinstance(error.__cause__, (av.HTTPUnauthorizedError, av.HTTPForbiddenError))
