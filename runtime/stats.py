"""What a server counts, and what it is working on. Knows no sockets and no messages."""

from __future__ import annotations

import math
import threading
import time


class ServerStats:
    """Counters that the server writes and `Health` reads. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_s = time.monotonic()
        self._counts = {"served": 0, "failed": 0, "expired": 0, "refused": 0}
        self._begun: dict[int, float] = {}
        self.waiting = 0

    def count(self, name: str) -> None:
        """One more `served`, `failed`, `expired` or `refused`."""
        with self._lock:
            self._counts[name] += 1

    def counts(self) -> dict[str, int]:
        """All four, since start."""
        with self._lock:
            return dict(self._counts)

    def begin(self, until_s: float) -> None:
        """This thread works on a request whose deadline is at `until_s`, by the monotonic clock."""
        with self._lock:
            self._begun[threading.get_ident()] = until_s

    def end(self) -> None:
        """This thread is done with it."""
        with self._lock:
            del self._begun[threading.get_ident()]

    def overdue_s(self) -> float:
        """Seconds since the earliest deadline of what is being worked on; 0: none has passed."""
        with self._lock:
            return max(0.0, time.monotonic() - min(self._begun.values(), default=math.inf))

    @property
    def uptime_s(self) -> float:
        """Seconds since start."""
        return time.monotonic() - self._started_s
