"""A camera that moves on when it is told to. Knows no session."""

from __future__ import annotations

from types import TracebackType

from export.bench_runtime.scenes import Show
from runtime.contract.serving import WindowSource
from runtime.frames import RingWriter

_EPOCH_S = 1_000_000.0


class Live:
    """A show in a real ring of shared memory. Close it, or use it in a with statement."""

    def __init__(self, show: Show, fps: float, *, room: str = "kitchen") -> None:
        """Nothing is shown yet; `fps` is the window's rate."""
        height, width = show.frames.shape[1:3]
        self._writer = RingWriter(width, height, fps=fps)
        self._show, self._fps = show, fps
        self._shown = self._cells = 0
        self.source = WindowSource(show.name, room, self._writer.name)

    def advance(self, frames: int, *, every: int = 1) -> None:
        """Show some more frames, one each `every` cells of the grid: 2 is half the window's rate."""
        for _ in range(frames):
            picture = self._show.frames[self._shown % len(self._show.frames)]
            self._writer.write(picture, _EPOCH_S + (self._cells + 0.5) / self._fps)
            self._shown += 1
            self._cells += every

    def close(self) -> None:
        """Remove the ring. Twice is fine."""
        self._writer.close()

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
