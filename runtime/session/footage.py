"""Opens what a question is about: a clip file or the newest window of a camera. Knows no models.

The next question is often about the same file, and decoding it takes longer than looking at it; so the clip
decoded last stays in memory if it is small, named by the file's own bytes.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from runtime.contract.clip import Clip
from runtime.contract.pixels import PixelSpec
from runtime.contract.serving import ClipSource, Source
from runtime.frames import read_window
from runtime.video import read_video

_KEPT_MIB, _KEPT_S, _HASHED_MIB = 64, 120.0, 32
"""Largest decoded clip that is kept, and for how long unasked; largest file that is hashed for it."""


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
        marks: of a camera's frames, as `runtime.frames.Window.marks`.
    """

    clip: Clip
    camera: str
    room: str | None
    newest_at: float | None
    scale: float
    first_s: float
    doubts: tuple[str, ...]
    marks: tuple[bytes, ...] = ()

    def at_s(self, frame: int) -> float:
        """When a frame was taken: POSIX seconds for a camera, seconds from the start for a file."""
        start = self.first_s if self.newest_at is None else self.clip.started_at
        return start + frame / self.clip.fps


class Projector:
    """Opens sources; remembers the last small clip."""

    def __init__(self, spec: PixelSpec, max_clip_s: float) -> None:
        """Args: max_clip_s: longer clips are cut to their last seconds."""
        self._spec = spec
        self._max_clip_s = max_clip_s
        self._last: tuple[tuple[Path, str], Footage] | None = None
        self._asked_s = 0.0

    def open(self, source: Source) -> Footage:
        """Decode a file, or copy a camera's newest window.

        Raises:
            UsageError: no such file. ContentError: it cannot be decoded. CameraError: the ring gives nothing.
        """
        if isinstance(source, ClipSource):
            return self._clip(source.path)
        window = read_window(source.ring, self._spec.window_frames, self._spec.window_fps)
        return Footage(window.clip, source.camera, source.room, window.newest_at, 1.0, 0.0, (), window.marks)

    def forget_old(self) -> None:
        """Drop the clip that nobody has asked about for two minutes."""
        if time.monotonic() - self._asked_s > _KEPT_S:
            self._last = None

    def _clip(self, path: Path) -> Footage:
        digest, self._asked_s = _digest(path), time.monotonic()
        if digest and self._last is not None and self._last[0] == (path, digest):
            return self._last[1]
        self._last = None
        footage = _decoded(path, self._spec, self._max_clip_s)
        # Written while it was decoded, a file may have given frames that its hash does not name.
        if digest and footage.clip.frames.nbytes <= _KEPT_MIB << 20 and _digest(path) == digest:
            self._last = ((path, digest), footage)
        return footage


def _digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex; empty: it is large, no plain file, or cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > _HASHED_MIB << 20:
            return ""
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _decoded(path: Path, spec: PixelSpec, max_clip_s: float) -> Footage:
    video = read_video(path, fps=spec.window_fps, max_s=max_clip_s)
    doubts = [f"Only the first {max_clip_s:g} s of the clip were looked at."] if video.cut else []
    if video.damaged_frames:
        doubts.append(f"{video.damaged_frames} frames of the clip are damaged.")
    return Footage(video.clip, path.name, None, None, video.scale, video.first_s, tuple(doubts))
