"""How things are timed: in turns, so that a busy moment hits all alike. Knows no engine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from runtime.contract.errors import UsageError

_BANDWIDTH_BYTES = 256 << 20
_BANDWIDTH_REPEATS = 7


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of one contender, round by round."""

    rounds_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The middle round."""
        return statistics.median(self.rounds_s)

    def over(self, other: Timed) -> float:
        """How many times as long as another of the same turns: the median of each round's own ratio."""
        return statistics.median(a / b for a, b in zip(self.rounds_s, other.rounds_s, strict=True))


def in_turns(contenders: Mapping[str, Callable[[], object]], *, warm: int, repeats: int) -> dict[str, Timed]:
    """Run every contender once, then every one again, and so on. Each round begins with the next one: whoever
    comes after another finds the caches as that one left them.

    Args:
        warm: rounds that are not counted. repeats: rounds that are.

    Raises:
        UsageError: nothing to run, or no rounds.
    """
    if not contenders or repeats < 1:
        raise UsageError(f"nothing to time: {len(contenders)} contenders, {repeats} rounds.")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(warm + repeats):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            began = time.perf_counter()
            contenders[name]()
            if number >= warm:
                seconds[name].append(time.perf_counter() - began)
    return {name: Timed(tuple(found)) for name, found in seconds.items()}


def bandwidth_bytes_s() -> float:
    """How fast memory is read with torch's threads: the best of some sums over 256 MiB, in bytes a second."""
    data = torch.ones(_BANDWIDTH_BYTES // 4)
    timed = in_turns({"sum": lambda: float(data.sum())}, warm=2, repeats=_BANDWIDTH_REPEATS)
    return _BANDWIDTH_BYTES / min(timed["sum"].rounds_s)
