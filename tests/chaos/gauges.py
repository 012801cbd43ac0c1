"""Memory, file descriptors and threads of processes over time, and whether they grow. Knows no home."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WARM_UP = 0.2
"""This share of the samples comes first and is not judged: caches fill."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One process at one moment.

    Attributes:
        rss_mib: resident memory in MiB.
        fds: open file descriptors.
        threads: of the process.
    """

    rss_mib: float
    fds: int
    threads: int


@dataclass(frozen=True, slots=True)
class Growth:
    """From the end of the warm-up to the end, by medians of a tenth of the samples."""

    before: Gauge
    after: Gauge

    @property
    def rss_mib(self) -> float:
        """Mebibytes more than before; negative: less."""
        return self.after.rss_mib - self.before.rss_mib

    @property
    def fds(self) -> int:
        """Descriptors more than before."""
        return self.after.fds - self.before.fds

    @property
    def threads(self) -> int:
        """Threads more than before."""
        return self.after.threads - self.before.threads


def gauge(pid: int) -> Gauge:
    """Read a process of ours.

    Raises:
        OSError: it has ended.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return Gauge(int(fields["VmRSS"].split()[0]) / 1024, _open_files(pid), int(fields["Threads"]))


def _open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def growth(samples: Sequence[Gauge]) -> Growth:
    """How much more there is at the end than after the warm-up.

    Raises:
        ValueError: fewer than 10 samples say nothing.
    """
    if len(samples) < 10:
        raise ValueError(f"{len(samples)} samples are too few, 10 are needed")
    window = max(1, len(samples) // 10)
    first = round(len(samples) * WARM_UP)
    return Growth(_middle(samples[first : first + window]), _middle(samples[-window:]))


def watched(
    pids: Mapping[str, int], count: int, step: Callable[[int], None], samples: int = 100
) -> dict[str, Growth]:
    """Take `count` steps, look at each process now and then in between, and say how much each grew."""
    every = max(1, count // samples)
    seen: dict[str, list[Gauge]] = {name: [] for name in pids}
    for number in range(count):
        step(number)
        if number % every == every - 1:
            for name, pid in pids.items():
                seen[name].append(gauge(pid))
            sys.stderr.write(f"{number + 1} of {count}\n")
    return {name: growth(gauges) for name, gauges in seen.items()}


def _middle(samples: Sequence[Gauge]) -> Gauge:
    return Gauge(
        statistics.median(one.rss_mib for one in samples),
        int(statistics.median(one.fds for one in samples)),
        int(statistics.median(one.threads for one in samples)),
    )
