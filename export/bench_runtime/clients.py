"""Many clients at once, over the real socket, against the real runtime process. Knows no engines.

Every client asks about one of several cameras and people, one question after another, and every answer is
held against what the runtime said of that camera and person when it was asked alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from export.bench_runtime.household import Enrolled
from export.bench_runtime.live import Live
from export.bench_runtime.scenes import Show
from runtime.async_client import AsyncClient
from runtime.client import Client, wait_until_ready
from runtime.config import RuntimeConfig
from runtime.contract.dialogue import Answer, Intent
from runtime.contract.errors import BusyError, ContentError, WireError
from runtime.wire import AnswerReply, Ask, Reply, SetSubjects
from train.demo.children import end_process

_START_MS, _DEADLINE_MS = 120_000, 300_000
_STOP_S = 20.0
_TOO_MANY, _BACK_S, _FULL_AFTER_S = 40, 0.25, 2.0
_KNOCKS, _BETWEEN_KNOCKS_S = 40, 0.05


@dataclass(slots=True)
class ClientFigures:
    """Of the clients that are served: milliseconds of every answer. Of as many again and more, all at once:
    how many were told `busy` and how many were answered. `busy_ms`: how long one more client waits for that
    word, while the queue is full. `wrong` counts answers to another question than was asked."""

    served_ms: list[float] = field(default_factory=list)
    refused_while_served: int = 0
    refused_beyond: int = 0
    answered_beyond: int = 0
    busy_ms: list[float] = field(default_factory=list)
    wrong: int = 0

    def p99_over_p50(self) -> float:
        """How evenly the served ones wait."""
        return float(np.percentile(self.served_ms, 99) / np.percentile(self.served_ms, 50))


def measure_clients(
    enrolled: Enrolled, shows: Sequence[Show], fps: float, *, clients: int, questions: int, beyond: int
) -> ClientFigures:
    """Start the runtime, let the clients ask, then more clients than it takes.

    Args:
        fps: of the windows. questions: of each client, one after another. beyond: clients at once at the end.

    Raises:
        ContentError: an answer that belongs to another question.
    """
    figures = ClientFigures()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pvc-", dir="/tmp")))
        cameras = [stack.enter_context(Live(show, fps)) for show in shows]
        for camera in cameras:
            camera.advance(len(shows[0].frames))
        endpoint = stack.enter_context(runtime_process(enrolled, folder))
        asks = [
            Ask(intent=Intent("existence", (ref.subject_id,)), names=enrolled.names, window=camera.source)
            for camera in cameras
            for ref in enrolled.refs
        ]
        with Client(endpoint) as alone:
            right = [_said(_answer(alone.call(ask, _DEADLINE_MS))) for ask in asks]
        asyncio.run(_all(endpoint, asks, right, clients, questions, beyond, figures))
        asyncio.run(_knock(endpoint, asks[0], RuntimeConfig().queue + _TOO_MANY, figures))
    if figures.wrong:
        raise ContentError(f"{figures.wrong} answers belong to other questions.", "This is a bug.")
    return figures


@contextlib.contextmanager
def runtime_process(enrolled: Enrolled, folder: Path) -> Iterator[str]:
    """A runtime process with its default settings, and the people installed."""
    endpoint = f"ipc://{folder / 'runtime.sock'}"
    command = [sys.executable, "-m", "runtime", "serve", "--bundle", str(enrolled.bundle.root)]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen([*command, "--socket", endpoint], stderr=log, stdout=log)
    try:
        with Client(endpoint) as client:
            wait_until_ready(client, _START_MS, lambda: child.poll() is None)
            client.call(SetSubjects(adapters=enrolled.refs), _DEADLINE_MS)
        yield endpoint
    finally:
        end_process(child, _STOP_S)


async def _all(
    endpoint: str, asks: Sequence[Ask], right: Sequence[object], clients: int, questions: int, beyond: int,
    figures: ClientFigures,
) -> None:  # fmt: skip
    async with AsyncClient(endpoint) as client:

        async def ask(number: int) -> float | None:
            """Milliseconds until the answer; None: the runtime was busy."""
            which = number % len(asks)
            began_s = time.perf_counter()
            try:
                answer = _answer(await client.call(asks[which], _DEADLINE_MS))
            except BusyError:
                return None
            figures.wrong += _said(answer) != right[which]
            return (time.perf_counter() - began_s) * 1000

        async def one(number: int) -> None:
            for turn in range(questions):
                ms = await ask(number * 7 + turn * 3)
                if ms is None:
                    figures.refused_while_served += 1
                else:
                    figures.served_ms.append(ms)

        await asyncio.gather(*(one(number) for number in range(clients)))
        waits = await asyncio.gather(*(ask(number) for number in range(beyond)))
        figures.refused_beyond = waits.count(None)
        figures.answered_beyond = beyond - figures.refused_beyond


async def _knock(endpoint: str, ask: Ask, crowd: int, figures: ClientFigures) -> None:
    """One more client asks `_KNOCKS` times of a queue that a crowd keeps full."""
    over = asyncio.Event()

    def knock() -> list[float]:
        waits_ms: list[float] = []
        with Client(endpoint) as client:
            for _ in range(_KNOCKS):
                began_s = time.perf_counter()
                try:
                    client.call(ask, _DEADLINE_MS)
                except BusyError:
                    waits_ms.append((time.perf_counter() - began_s) * 1000)
                time.sleep(_BETWEEN_KNOCKS_S)
        return waits_ms

    async with AsyncClient(endpoint) as client:

        async def stay() -> None:
            while not over.is_set():
                try:
                    await client.call(ask, _DEADLINE_MS)
                except BusyError:
                    await asyncio.sleep(_BACK_S)

        waiting = [asyncio.create_task(stay()) for _ in range(crowd)]
        await asyncio.sleep(_FULL_AFTER_S)
        figures.busy_ms = await asyncio.to_thread(knock)
        over.set()
        await asyncio.gather(*waiting)


def _answer(reply: Reply) -> Answer:
    if not isinstance(reply, AnswerReply):
        raise WireError(f"the runtime answered {type(reply).__name__} to a question.", "Update both sides.")
    return reply.answer


def _said(answer: Answer) -> tuple[object, ...]:
    """What tells one question's answer from another's: camera, person, words, verdict, evidence."""
    shown = tuple((one.camera, one.box, one.frame_sha256, one.subject_id) for one in answer.evidence)
    return (answer.text, answer.verdict, answer.confidence, answer.subjects, shown)
