"""Whether a runtime that runs still works, asked again and again. Knows no processes and no restarts.

A process that exists proves nothing, and neither does an open socket: libzmq answers in a thread of its own.
What counts is that the server's loop takes a request and replies, and that no request is being worked on long
after its caller has given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from runtime.contract.errors import DeadlineError, PvchatError
from runtime.wire import Health, HealthReply, Reply, Request

Call = Callable[[Request, int], Reply]
"""A request and milliseconds to its reply; raises `PvchatError`."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often, and how patient: one that only lacks the processor must not be taken for one that hangs.

    Attributes:
        every_s: between two beats.
        reply_ms: time for one reply.
        missed: so many beats in a row without a reply mean that the loop hangs.
        overdue_s: a request this long past its deadline means that the model hangs.
    """

    every_s: float = 5.0
    reply_ms: int = 20_000
    missed: int = 3
    overdue_s: float = 60.0


class Heartbeat:
    """One runtime's. For one thread."""

    def __init__(self, call: Call, rhythm: Rhythm) -> None:
        """The first beat is due one period from now."""
        self._call = call
        self._rhythm = rhythm
        self._missed = 0
        self._next_s = time.monotonic() + rhythm.every_s

    def trouble(self) -> str:
        """Why it must be replaced, in words; empty while it works or when no beat is due."""
        if time.monotonic() < self._next_s:
            return ""
        try:
            reply = self._call(Health(), self._rhythm.reply_ms)
        except DeadlineError:
            self._missed += 1
        except PvchatError:
            self._missed = 0  # it answers; what is wrong is told to those who ask
        else:
            self._missed = 0
            if isinstance(reply, HealthReply) and reply.overdue_s > self._rhythm.overdue_s:
                return f"it works on a request {reply.overdue_s:.0f} s after its deadline"
        finally:
            self._next_s = time.monotonic() + self._rhythm.every_s
        if self._missed >= self._rhythm.missed:
            return f"it has not replied {self._missed} times"
        return ""
