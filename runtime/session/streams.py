"""What is remembered of live streams, as long as they live. Knows no engines.

A camera's frames come again and again in overlapping windows; what was computed of them lies here, bounded,
and goes with the camera: its ring in shared memory is the stream's life.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from runtime.session.features import FeatureRing, FrameNamer
from runtime.session.recent import Recent

V = TypeVar("V")
STREAM_FRAMES = 24
"""As many frames as a camera's ring holds: three windows."""
MOST_STREAMS = 32
_WINDOWS = 2


@dataclass(frozen=True, slots=True)
class StreamMemory(Generic[V]):
    """Of one stream: names and features of its newest frames, and what was seen in its newest windows."""

    names: FrameNamer = field(default_factory=lambda: FrameNamer(STREAM_FRAMES))
    features: FeatureRing = field(default_factory=lambda: FeatureRing(STREAM_FRAMES))
    windows: Recent[tuple[object, ...], V] = field(default_factory=lambda: Recent(_WINDOWS))


class Streams(Generic[V]):
    """The memory of each stream that lives, of at most 32."""

    def __init__(self, lives: Callable[[str], bool]) -> None:
        """Args: lives: whether a stream, by its name, still has a camera."""
        self._lives = lives
        self._memories: Recent[str, StreamMemory[V]] = Recent(MOST_STREAMS)

    def memory(self, name: str) -> StreamMemory[V]:
        """What is remembered of a stream; nothing at first."""
        return self._memories.get(name) or self._memories.put(name, StreamMemory())

    def forget_gone(self) -> int:
        """Forget streams whose camera is gone; how many there were."""
        gone = [name for name in self._memories.keys() if not self._lives(name)]  # noqa: SIM118 - a list of keys
        for name in gone:
            self._memories.drop(name)
        return len(gone)

    def __len__(self) -> int:
        return len(self._memories)
