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
    """Seconds of one contender: the median, the least, and how often it ran."""

    median_s: float
    least_s: float
    repeats: int


def in_turns(contenders: Mapping[str, Callable[[], object]], *, warm: int, repeats: int) -> dict[str, Timed]:
    """Run every contender once, then every one again, and so on.

    Args:
        warm: rounds that are not counted. repeats: rounds that are.

    Raises:
        UsageError: nothing to run, or no rounds.
    """
    if not contenders or repeats < 1:
        raise UsageError(f"nothing to time: {len(contenders)} contenders, {repeats} rounds.")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(warm + repeats):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            if number >= warm:
                seconds[name].append(time.perf_counter() - began)
    return {name: summed(found) for name, found in seconds.items()}


def summed(seconds: list[float]) -> Timed:
    """One contender's times."""
    return Timed(statistics.median(seconds), min(seconds), len(seconds))


def bandwidth_bytes_s() -> float:
    """How fast memory is read with torch's threads: the best of some sums over 256 MiB, in bytes a second."""
    data = torch.ones(_BANDWIDTH_BYTES // 4)
    timed = in_turns({"sum": lambda: float(data.sum())}, warm=2, repeats=_BANDWIDTH_REPEATS)
    return _BANDWIDTH_BYTES / timed["sum"].least_s
