"""Puts one question to the daemon or to the runtime, through their sockets, and waits for the answer.

Knows no HTTP and no engines: the one session is the runtime's. What is no answer is raised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from runtime.async_client import AsyncClient
from runtime.contract.errors import (
    AccessError,
    BusyError,
    DeadlineError,
    PvchatError,
    UsageError,
    WireError,
)
from runtime.contract.serving import ClipSource
from runtime.http.answers import OF_A_CLIP, OF_A_PICTURE, Said, answer_of, error_without_paths, without_paths
from runtime.http.bodies import Asked
from runtime.http.house import House, Listed
from runtime.http.pictures import check_count, write_pictures
from runtime.questions import parse, recalled
from runtime.wire import AnswerReply, Ask, DaemonAsk, Health, HealthReply, Reply

_HEARTBEAT_MS = 1000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be asked.

    Attributes:
        clip_folders: where clips may lie; absolute.
        max_waiting: questions at a time; one more is busy.
        timeout_ms: time for a question that names none.
        show_paths: whether callers are on the box, so that places of evidence pictures help them.
    """

    clip_folders: tuple[Path, ...]
    max_waiting: int
    timeout_ms: int
    show_paths: bool


class Desk:
    """Takes questions from one event loop."""

    def __init__(self, house: House, runtime: AsyncClient, daemon: AsyncClient, rules: Rules) -> None:
        self._house = house
        self._runtime = runtime
        self._daemon = daemon
        self._rules = rules
        self._waiting = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, held while a request is read and answered.

        Raises:
            BusyError: all are taken.
        """
        if self._waiting >= self._rules.max_waiting:
            raise BusyError(f"{self._waiting} questions are waiting already.", "Ask again in a moment.")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def ask(self, asked: Asked) -> Said:
        """The answer; what cannot be known or is refused is an answer, too.

        Raises:
            BusyError: a queue is full. AccessError: a clip outside of the allowed folders.
            UsageError, ContentError: the question, the clip or the picture cannot be used.
        """
        timeout_ms = asked.timeout_ms or self._rules.timeout_ms
        note = OF_A_PICTURE if asked.pictures else OF_A_CLIP if asked.clip else ""
        try:
            said = await self._in_time(asked, timeout_ms, note)
        except PvchatError as error:
            answer = answer_of(error)
            if answer is None:
                if self._rules.show_paths:
                    raise
                raise error_without_paths(error) from error
            said = Said(answer, asked.conversation, note, isinstance(error, DeadlineError))
        if self._rules.show_paths:
            return said
        return replace(said, answer=without_paths(said.answer))

    async def health(self) -> HealthReply:
        """The runtime's heartbeat, with the bundle that it has loaded.

        Raises:
            UnavailableError: it does not answer.
        """
        reply = await self._runtime.call(Health(), _HEARTBEAT_MS)
        if not isinstance(reply, HealthReply):
            raise WireError(f"the runtime answered {type(reply).__name__} to its heartbeat.")
        return reply

    async def people(self) -> tuple[Listed, ...]:
        """Everybody enrolled."""
        return await _aside(self._house.people)

    def close(self) -> None:
        """Close both sockets."""
        self._runtime.close()
        self._daemon.close()

    async def _in_time(self, asked: Asked, timeout_ms: int, note: str) -> Said:
        try:
            return await asyncio.wait_for(self._put(asked, timeout_ms, note), timeout_ms / 1000)
        except asyncio.TimeoutError as error:
            raise DeadlineError(
                f"no answer within {timeout_ms} ms.", "Ask with more time: timeout_ms."
            ) from error

    async def _put(self, asked: Asked, timeout_ms: int, note: str) -> Said:
        until_s = time.monotonic() + timeout_ms / 1000
        if not asked.clip and not asked.pictures:
            question = DaemonAsk(text=asked.text, conversation=asked.conversation, earlier=asked.earlier)
            reply = _expected(await self._daemon.call(question, timeout_ms))
            return Said(reply.answer, reply.conversation)
        check_count(asked.pictures)
        with ExitStack() as held:
            if asked.clip:
                clip = await _aside(lambda: allowed_clip(asked.clip, self._rules.clip_folders))
            else:
                clip = held.enter_context(self._house.scratch()) / "pictures.mkv"
            household = await _aside(self._house.household)
            intent = parse(asked.text, household, (), before=recalled(asked.earlier, household, ()))
            ready = await _aside(self._house.prepare)
            if asked.pictures:
                await _aside(lambda: write_pictures(asked.pictures, clip, fps=ready.window_fps))
            request = Ask(
                intent=intent,
                names={one.subject_id: one.name for one in household.subjects},
                clip=ClipSource(clip),
                evidence_dir=self._house.evidence if asked.clip else None,
            )
            left_ms = max(1, int((until_s - time.monotonic()) * 1000))
            reply = _expected(await self._runtime.call(request, left_ms))
        await _aside(self._house.tidy)
        return Said(reply.answer, "", note)


def allowed_clip(path: str, folders: Sequence[Path]) -> Path:
    """The file itself, links followed, if it lies in one of the folders.

    Raises:
        AccessError: it does not, whether it is there or not. UsageError: it does, and cannot be opened.
    """
    try:
        real = Path(path).resolve()
        inside = Path(path).is_absolute() and any(real.is_relative_to(one.resolve()) for one in folders)
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise AccessError(
            "this clip lies in no folder that may be asked about.",
            "Name its folder: clip_folders under [http].",
        )
    if not real.is_file():
        raise UsageError("this clip is no file.", "Check the path.")
    return real


async def _aside(work: Callable[[], T]) -> T:
    """Run what blocks in a thread."""
    return await asyncio.to_thread(work)


def _expected(reply: Reply) -> AnswerReply:
    if not isinstance(reply, AnswerReply):
        raise WireError(f"{type(reply).__name__} came back for a question.", "Update both sides.")
    return reply
