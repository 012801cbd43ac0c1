"""How long to wait before something that failed is started again. Knows no clock and no processes."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Doubling waits with jitter: between half and all of 1, 2, 4 … seconds.

    Args:
        first_s, longest_s: bounds of the wait.
        healthy_s: after running for this long, counting starts anew.
        jitter: a number in 0..1 each time it is called.
    """

    def __init__(
        self,
        *,
        first_s: float = 1.0,
        longest_s: float = 60.0,
        healthy_s: float = 300.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._healthy_s = healthy_s
        self._jitter = jitter
        self._failures = 0

    def failed(self, ran_s: float) -> float:
        """Seconds to wait now, after a run of `ran_s` seconds ended."""
        self._failures = 1 if ran_s >= self._healthy_s else self._failures + 1
        wait_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures - 1, 30))
        return wait_s * (0.5 + 0.5 * self._jitter())
