"""Opens what a question is about: a clip file or the newest window of a camera. Knows no models."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.contract.clip import Clip
from runtime.contract.pixels import PixelSpec
from runtime.contract.serving import ClipSource, Source
from runtime.frames import read_window
from runtime.video import read_video


@dataclass(frozen=True, slots=True)
class Footage:
    """Frames to look at.

    Attributes:
        clip: at the bundle's window rate.
        camera: name in evidence.
        room: where a camera looks; None for a file.
        newest_at: POSIX seconds of the newest frame of a camera; None for a file.
        scale: pixels of the original per pixel of the clip.
        first_s: of a file, seconds before the clip's first frame.
        doubts: why something may have been missed.
    """

    clip: Clip
    camera: str
    room: str | None
    newest_at: float | None
    scale: float
    first_s: float
    doubts: tuple[str, ...]

    def at_s(self, frame: int) -> float:
        """When a frame was taken: POSIX seconds for a camera, seconds from the start for a file."""
        start = self.first_s if self.newest_at is None else self.clip.started_at
        return start + frame / self.clip.fps


def open_footage(source: Source, spec: PixelSpec, *, max_clip_s: float) -> Footage:
    """Decode a file, or copy a camera's newest window.

    Raises:
        UsageError: no such file. ContentError: it cannot be decoded. CameraError: the ring gives nothing.
    """
    if isinstance(source, ClipSource):
        video = read_video(source.path, fps=spec.window_fps, max_s=max_clip_s)
        doubts = [f"Only the first {max_clip_s:g} s of the clip were looked at."] if video.cut else []
        if video.damaged_frames:
            doubts.append(f"{video.damaged_frames} frames of the clip are damaged.")
        return Footage(
            clip=video.clip,
            camera=source.path.name,
            room=None,
            newest_at=None,
            scale=video.scale,
            first_s=video.first_s,
            doubts=tuple(doubts),
        )
    window = read_window(source.ring, spec.window_frames, spec.window_fps)
    return Footage(window.clip, source.camera, source.room, window.newest_at, 1.0, 0.0, ())
