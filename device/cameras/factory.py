"""From a camera's settings to a `Camera`. Knows no rings and no processes."""

from __future__ import annotations

from device.cameras.base import Camera
from device.cameras.replay import ReplayCamera
from device.cameras.stream import StreamCamera
from device.config import CameraConfig


def make_camera(
    config: CameraConfig, *, grid_fps: float, open_timeout_ms: int, read_timeout_ms: int
) -> Camera:
    """The camera, not yet open; file and device paths of `config` are absolute."""
    if config.kind == "replay":
        return ReplayCamera(config.files, loop=config.loop, grid_fps=grid_fps)
    return StreamCamera(
        config.url if config.kind == "rtsp" else config.path,
        grid_fps=grid_fps,
        open_timeout_ms=open_timeout_ms,
        read_timeout_ms=read_timeout_ms,
    )
