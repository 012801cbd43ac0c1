"""What more video costs: one more frame or second of a live window, over the window. Knows no questions.

The window is that of a live question, which is exactly one window of the engines: the bundle's N frames at F
a second. So one more second brings F frames that were never seen, and as each must be encoded once, the ratio
cannot be far below F / N, which is `least_ratio` (0.5 with 8 frames at 4 a second). Beyond that it holds what
is computed of the window as a whole (tracks, tokens).
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from export.bench_runtime.scenes import Frames, Show
from runtime.contract.clip import Clip
from runtime.contract.errors import ContentError
from runtime.session.models import Models
from runtime.session.observe import LIVE_LOOKS, Observer


@dataclass(slots=True)
class StreamFigures:
    """Milliseconds of every repeat: the window afresh, one more second of it, one more frame.

    `window_frames`: of the window; `second_frames`: of them, those that one more second brings.
    """

    window_frames: int
    second_frames: int
    window_ms: list[float] = field(default_factory=list)
    second_ms: list[float] = field(default_factory=list)
    frame_ms: list[float] = field(default_factory=list)

    def least_ratio(self) -> float:
        """The share of the window's frames that one more second brings."""
        return self.second_frames / self.window_frames

    def second_ratio(self) -> float:
        """The median over repeats."""
        return statistics.median(a / b for a, b in zip(self.second_ms, self.window_ms, strict=True))

    def frame_ratio(self) -> float:
        """The median over repeats."""
        return statistics.median(a / b for a, b in zip(self.frame_ms, self.window_ms, strict=True))


def measure_stream(models: Models, show: Show, repeats: int) -> StreamFigures:
    """Observe overlapping windows; the first repeat warms up and does not count.

    Raises:
        ContentError: the camera shows too little.
    """
    spec = models.manifest.pixels
    window, second = spec.window_frames, round(spec.window_fps)
    if len(show.frames) < window + second + 1:
        raise ContentError(f"{show.name} shows {len(show.frames)} frames, too few.", "Render more seconds.")
    figures = StreamFigures(window, second)
    for repeat in range(repeats + 1):
        found = StreamFigures(window, second) if repeat == 0 else figures
        live = Observer(models, lambda _: True)
        found.window_ms.append(_timed(Observer(models), show.frames[:window], spec.window_fps))
        _timed(live, show.frames[:window], spec.window_fps)
        found.second_ms.append(_timed(live, show.frames[second : second + window], spec.window_fps))
        found.frame_ms.append(_timed(live, show.frames[second + 1 : second + 1 + window], spec.window_fps))
    return figures


def _timed(observer: Observer, frames: Frames, fps: float) -> float:
    began_s = time.perf_counter()
    observer.observe(Clip(frames, fps), looks=LIVE_LOOKS, per_track=4, check=lambda: None, stream="live")
    return (time.perf_counter() - began_s) * 1000
