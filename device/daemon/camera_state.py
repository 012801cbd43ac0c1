"""What state a camera is in: events in, state out. Knows no clock, no process and no ring."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.contract.dialogue import CameraState

_FUTURE_MS = 1000.0
_BLOCK_ROWS, _BLOCK_COLUMNS = 12, 16
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def is_fresh(age_ms: float | None, max_frame_age_ms: float) -> bool:
    """Whether a frame of this age proves anything; one from the future does not (the clock was set)."""
    return age_ms is not None and -_FUTURE_MS <= age_ms <= max_frame_age_ms


@dataclass(frozen=True, slots=True)
class Limits:
    """When a camera stops being live.

    Attributes:
        max_frame_age_ms: an older newest frame is stale.
        frozen_after_ms: frames keep coming but have been the same picture for this long.
        dark_below: brightest block of a black picture, 0..255.
        flat_below: spread of the blocks (5th to 95th percentile) of a uniform picture, 0..255.
    """

    max_frame_age_ms: float = 5000.0
    frozen_after_ms: float = 10000.0
    dark_below: float = 16.0
    flat_below: float = 10.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame looks like.

    Attributes:
        digest: equal for equal pictures.
        high: 95th percentile of the luma of 12 x 16 blocks, 0..255.
        spread: 95th minus 5th percentile of them, 0..255.
    """

    digest: int
    high: float
    spread: float


@dataclass(frozen=True, slots=True)
class Started:
    """The capture process was started."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The capture process is gone, whatever the reason."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest frame of the ring: its time (POSIX seconds) and its look."""

    at: float
    look: Look


Event = Started | Ended | Seen


@dataclass(frozen=True, slots=True)
class CameraWatch:
    """All that is remembered of a camera.

    Attributes:
        running: whether the capture process is alive.
        failed: whether it ended at least once since the last frame.
        at: POSIX seconds of its newest frame; None: none since the process was started.
        look: of that frame.
        same_since: POSIX seconds of the first frame of the unbroken run of equal pictures.
        last_at: like `at`, but kept when the process ends.
    """

    running: bool = False
    failed: bool = False
    at: float | None = None
    look: Look | None = None
    same_since: float = 0.0
    last_at: float | None = None

    def after(self, event: Event) -> CameraWatch:
        """The watch after one more event."""
        if isinstance(event, Started):
            return replace(self, running=True, at=None, look=None)
        if isinstance(event, Ended):
            return replace(self, running=False, failed=True, at=None, look=None)
        if not self.running or event.at == self.at:
            return self
        same = self.look is not None and self.look.digest == event.look.digest
        # a clock that was set back must not make a short run of equal pictures look long
        since = min(self.same_since, event.at) if same else event.at
        return replace(self, failed=False, at=event.at, look=event.look, same_since=since, last_at=event.at)

    def state(self, now: float, limits: Limits) -> CameraState:
        """The state at `now` (POSIX seconds)."""
        if not self.running:
            return "down" if self.failed else "connecting"
        if self.at is None or self.look is None:
            return "down" if self.failed else "connecting"
        if not is_fresh((now - self.at) * 1000, limits.max_frame_age_ms):
            return "stale"
        if self.look.high < limits.dark_below or self.look.spread < limits.flat_below:
            return "covered"
        if (self.at - self.same_since) * 1000 >= limits.frozen_after_ms:
            return "frozen"
        return "live"

    def age_ms(self, now: float) -> float | None:
        """Age of the newest frame ever seen, in milliseconds, at least 0; None: there was none."""
        return None if self.last_at is None else max(0.0, (now - self.last_at) * 1000)


def look_at(frame: NDArray[np.uint8]) -> Look:
    """What a frame (uint8 (H, W, 3), RGB, 0-255) looks like."""
    digest = zlib.crc32(np.ascontiguousarray(frame).data)
    thin = frame[:: max(1, frame.shape[0] // 120), :: max(1, frame.shape[1] // 160)]
    luma = thin.astype(np.float32) @ _LUMA
    blocks = _block_means(_block_means(luma, _BLOCK_ROWS).T, _BLOCK_COLUMNS)
    low, high = np.percentile(blocks, [5, 95])
    return Look(digest, float(high), float(high - low))


def _block_means(luma: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
    """float32 (N, X) to (min(N, wanted), X): means of neighbouring rows."""
    edges = np.linspace(0, len(luma), min(len(luma), wanted) + 1).astype(int)
    sums = np.add.reduceat(luma, edges[:-1], axis=0)
    return np.asarray(sums / np.diff(edges)[:, None], dtype=np.float32)
