"""Many questions to the daemon, and a day of windows to its runtime, as fast as they are answered.

A window is what a camera shows in one more second: the ring's clock runs ahead, the pace is the machine's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.client import Client
from runtime.contract.dialogue import Intent
from runtime.contract.serving import WindowSource
from runtime.frames import MAX_HEIGHT, MAX_WIDTH, RING_FPS, RingWriter
from runtime.video import read_video
from runtime.wire import AnswerReply, Ask
from tests.chaos.asking import DEADLINE_MS, Asker, Tally
from tests.chaos.gauges import Growth, watched
from tests.chaos.home import BrokenHome

_FIRST_AT = 1_700_000_000.0


def soak(broken: BrokenHome, tally: Tally, questions: int, windows: int) -> dict[str, Growth]:
    """How much each process grew, by what was done and its name; a part of which none is wanted is left out.

    Raises:
        RuntimeError: a window got no answer, or the runtime is away before it begins.
    """
    runtime = broken.runtime_pid()
    if runtime is None:
        raise RuntimeError("the runtime is away before the soak begins")
    pids = {"daemon": broken.process.pid, "runtime": runtime, "client": os.getpid()}
    asker = Asker(broken, tally)
    made: dict[str, Growth] = {}
    if questions:
        grown = watched(pids, questions, lambda number: asker.ask(-1 - number))
        made |= {f"questions: {name}": one for name, one in grown.items()}
    if windows:
        with _windows(broken) as look:
            grown = watched(pids, windows, look)
        made |= {f"windows: {name}": one for name, one in grown.items()}
    return made


class _Look:
    """Writes one more second into a ring, then asks about the newest window."""

    def __init__(self, client: Client, ring: RingWriter, frames: NDArray[np.uint8], who: str) -> None:
        self._client = client
        self._ring = ring
        self._frames = frames
        self._who = who
        self._written = 0

    def __call__(self, number: int) -> None:
        """The window of second `number`."""
        while self._written < (number + 2) * RING_FPS:
            frame = self._frames[self._written % len(self._frames)]
            self._ring.write(frame, _FIRST_AT + (self._written + 0.5) / RING_FPS)
            self._written += 1
        source = WindowSource("soak", "the attic", self._ring.name)
        reply = self._client.call(Ask(intent=Intent("existence", (self._who,)), window=source), DEADLINE_MS)
        if not isinstance(reply, AnswerReply) or {one.subject_id for one in reply.answer.subjects} != {
            self._who
        }:
            raise RuntimeError(f"window {number} got {reply}")


@contextmanager
def _windows(broken: BrokenHome) -> Iterator[_Look]:
    resident = broken.residents[0]
    clip = read_video(_clip_of(broken), fps=RING_FPS, max_s=60.0).clip
    height, width = clip.frames.shape[1:3]
    if height > MAX_HEIGHT or width > MAX_WIDTH:
        raise RuntimeError(f"a ring cannot hold {width}x{height}")
    with RingWriter(width, height) as ring, Client(broken.home.runtime_endpoint) as client:
        yield _Look(client, ring, clip.frames, resident.subject_id)


def _clip_of(broken: BrokenHome) -> Path:
    return broken.home.root.parent / f"{broken.residents[0].camera}.mp4"
