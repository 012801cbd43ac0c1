"""Counters of the HTTP server in Prometheus' text format. Knows no names, no questions and no sockets.

Labels are words of this file and of the contract alone. Written and read from one event loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runtime.contract.dialogue import Answer
from runtime.contract.errors import BusyError, PvchatError
from runtime.wire import HealthReply

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_P = "pvchat"


class Metrics:
    """What happened since start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._asked = 0
        self._busy = 0
        self._expired = 0

    def request(self, route: str, status: int) -> None:
        """One more request was ended."""
        self._requests[route, status] += 1

    def answer(self, answer: Answer, seconds: float, *, expired: bool) -> None:
        """One more question was answered; `expired`: only because its time was over."""
        self._expired += expired
        verdict = "refused" if answer.kind == "refusal" else answer.verdict or "none"
        self._answers[answer.kind, verdict] += 1
        self._took(seconds)

    def error(self, error: PvchatError, seconds: float) -> None:
        """One more question ended without an answer."""
        self._answers["error", error.code] += 1
        self._busy += isinstance(error, BusyError)
        self._took(seconds)

    def _took(self, seconds: float) -> None:
        self._asked += 1
        self._seconds += seconds
        for bound_s in BUCKETS_S:
            self._buckets[bound_s] += seconds <= bound_s

    def text(self, health: HealthReply | None) -> str:
        """Everything, a sample a line.

        Args:
            health: what the runtime says of itself; None: it does not answer.
        """
        return "\n".join([*self._own(), *_of_runtime(health), ""])

    def _own(self) -> Iterator[str]:
        yield from _head("http_requests_total", "counter", "HTTP requests by route and status.")
        for (route, status), count in sorted(self._requests.items()):
            yield f'{_P}_http_requests_total{{route="{route}",status="{status}"}} {count}'
        yield from _head("questions_total", "counter", "Questions by kind of answer and verdict.")
        for (kind, verdict), count in sorted(self._answers.items()):
            yield f'{_P}_questions_total{{kind="{kind}",verdict="{verdict}"}} {count}'
        yield from _head("question_seconds", "histogram", "Seconds from a question to its answer.")
        for bound_s in BUCKETS_S:
            yield f'{_P}_question_seconds_bucket{{le="{bound_s:g}"}} {self._buckets[bound_s]}'
        yield f'{_P}_question_seconds_bucket{{le="+Inf"}} {self._asked}'
        yield f"{_P}_question_seconds_sum {self._seconds:.6f}"
        yield f"{_P}_question_seconds_count {self._asked}"
        unavailable = sum(count for (_, verdict), count in self._answers.items() if verdict == "unavailable")
        yield from _one("busy_total", "counter", "Questions that found a queue full.", self._busy)
        yield from _one("expired_total", "counter", "Questions whose time was over.", self._expired)
        yield from _one("unavailable_total", "counter", "Answers `unavailable`.", unavailable)


def _of_runtime(health: HealthReply | None) -> Iterator[str]:
    yield from _one(
        "runtime_up", "gauge", "Whether the runtime answers its heartbeat.", int(health is not None)
    )
    if health is None:
        return
    for name in ("served", "failed", "expired", "refused"):
        what = f"Requests that the runtime {name} since its start."
        yield from _one(f"runtime_{name}_total", "counter", what, getattr(health, name))
    yield from _one("runtime_queue", "gauge", "Requests that wait in the runtime.", health.queue)
    yield from _one("runtime_uptime_seconds", "gauge", "Since the runtime's start.", health.uptime_s)
    yield from _one("runtime_resident_mebibytes", "gauge", "Memory of the runtime.", health.rss_mib)


def _one(name: str, kind: str, what: str, value: float) -> Iterator[str]:
    yield from _head(name, kind, what)
    yield f"{_P}_{name} {value:g}" if isinstance(value, float) else f"{_P}_{name} {value}"


def _head(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {_P}_{name} {what}", f"# TYPE {_P}_{name} {kind}"
