"""A coverage-guided fuzzer of the wire: every message goes through the decoders and a real server's socket.

A message that reaches a new step between lines, or a new wording of a refusal, joins the corpus that later
messages are made from. The wording stands for what happens inside msgspec, whose C cannot be traced.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import zmq

import runtime.address
import runtime.calls
import runtime.contract.serving
import runtime.pipe
import runtime.router
import runtime.server
import runtime.wire
from runtime.contract.bundle import Bundle
from runtime.contract.dialogue import Answer
from runtime.contract.errors import ContentError, PvchatError, WireError
from runtime.router import Server
from runtime.server import BESIDE, SessionHandler
from runtime.stats import ServerStats
from runtime.wire import (
    NO_REQUEST,
    ErrorReply,
    Hello,
    Ready,
    decode_envelope,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    request_from_line,
)
from tests.chaos.coverage import Coverage
from tests.chaos.gauges import Gauge, Growth, gauge, growth
from tests.chaos.mutate import mutated, valid_messages

WATCHED = (
    runtime.wire, runtime.router, runtime.server, runtime.calls, runtime.pipe, runtime.address,
    runtime.contract.serving,
)  # fmt: skip
_SENT = re.compile(r"(unknown field|enum value|Invalid value) .*", re.DOTALL)
_HANG_MS = 10_000
_PATIENT_MS = 2_000
_BASE = Path(str(runtime.__file__)).parent / "base_bundle"


@dataclass
class Fuzzed:
    """What came of it.

    Attributes:
        messages: sent.
        crashes: a line each: what broke, and the message in hex.
        features: steps between lines and wordings that were reached.
        quiet: messages since the last new one.
        corpus: messages that reached something new.
        growth: of this process.
    """

    messages: int = 0
    crashes: list[str] = field(default_factory=list)
    features: set[Hashable] = field(default_factory=set)
    quiet: int = 0
    corpus: list[bytes] = field(default_factory=list)
    growth: Growth | None = None

    @property
    def crash_rate_below(self) -> float:
        """With 95 % confidence, when nothing crashed: the rule of three."""
        return min(1.0, 3.0 / self.messages) if self.messages and not self.crashes else 1.0


class EchoSession:
    """A session without a model: the wire is what is tried."""

    def prepare_subjects(self, refs: Sequence[Any]) -> Callable[[], None]:
        """Like anybody."""
        return lambda: None

    def answer(self, source: Any, intent: Any, names: Any, evidence_dir: Any, deadline: Any) -> Answer:
        """Something."""
        return Answer("description", intent.kind, None, None, 0.9)

    def enrol(self, request: Any) -> Any:
        """Nobody."""
        raise ContentError("nobody is in this clip.", "Use another one.")

    def forget_gone(self) -> None:
        """Nothing is remembered."""

    def selftest(self, adapter: Path | None = None) -> list[str]:
        """Fine."""
        return []


def fuzz(*, limit: int, quiet: int, seed: int, look_every: int = 500) -> Fuzzed:
    """Send up to `limit` messages, fewer when `quiet` of them in a row reach nothing new."""
    made, random, coverage = Fuzzed(), Random(seed), Coverage(WATCHED)
    gauges: list[Gauge] = []
    with coverage.watching(), _served() as wire:
        for raw in valid_messages():
            _try(raw, wire, coverage, made)
        while made.messages < limit and made.quiet < quiet and len(made.crashes) < 20:
            raw = mutated(random.choice(made.corpus), random.choice(made.corpus), random)
            _try(raw, wire, coverage, made)
            if made.messages % look_every == 0:
                gauges.append(gauge(os.getpid()))
    if len(gauges) >= 10:
        made.growth = growth(gauges)
    return made


def _try(raw: bytes, wire: _Wire, coverage: Coverage, made: Fuzzed) -> None:
    made.messages += 1
    found: set[Hashable] = set()
    for name, act in (*_ACTS, ("socket", wire.send)):
        try:
            found |= {(name, said) for said in act(raw)}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            made.crashes.append(f"{name}: {type(error).__name__}: {error}: {raw[:400].hex()}")
    found |= coverage.take()
    if found <= made.features:
        made.quiet += 1
        return
    made.features |= found
    made.quiet = 0
    made.corpus.append(raw)


def _request(raw: bytes) -> list[str]:
    """A request that is read must say the same again when it is sent on."""
    try:
        envelope, request = decode_request(raw)
        again = encode_request(request, envelope.request_id, envelope.deadline_ms)
    except WireError as error:
        return [_shape(error.message)]
    if encode_request(decode_request(again)[1], envelope.request_id, envelope.deadline_ms) != again:
        raise AssertionError("a request changed on its way")
    return [type(request).__name__]


def _reply(raw: bytes) -> list[str]:
    try:
        envelope, reply = decode_reply(raw)
        again = encode_reply(reply, envelope.request_id)
    except WireError as error:
        return [_shape(error.message)]
    if encode_reply(decode_reply(again)[1], envelope.request_id) != again:
        raise AssertionError("a reply changed on its way")
    return [type(reply).__name__]


def _line(raw: bytes) -> list[str]:
    try:
        return [type(request_from_line(raw[21:])).__name__]
    except WireError as error:
        return [_shape(error.message)]


_ACTS: tuple[tuple[str, Callable[[bytes], list[str]]], ...] = (
    ("request", _request), ("reply", _reply), ("line", _line),
)  # fmt: skip


class _Wire:
    """A client for which a server that hangs, dies, stays silent or answers somebody else is a finding."""

    def __init__(self, socket: zmq.Socket[bytes], server: Server) -> None:
        self._socket = socket
        self._server = server
        self._sent = 0
        self._open: set[bytes] = set()

    def send(self, raw: bytes) -> list[str]:
        """Send a message under an id of its own and a plain request after it; how they were answered.

        Raises:
            AssertionError: not as the protocol says.
        """
        self._sent += 1
        mine = self._sent.to_bytes(16, "big")
        raw = raw[:1] + mine + raw[17:] if len(raw) >= 17 else raw
        after = (self._sent | 1 << 100).to_bytes(16, "big")
        self._socket.send(raw)
        self._socket.send(encode_request(Hello(), after, _HANG_MS))
        replies = self._replies(mine, after, _is_owed(raw))
        if not isinstance(replies[after], Ready):
            raise AssertionError(f"hello got {replies[after]}")
        reply = replies.get(mine)
        if isinstance(reply, ErrorReply) and reply.code == "error":
            raise AssertionError(f"a bug behind the socket: {reply.message}")
        return [_shape(f"{type(reply).__name__} {getattr(reply, 'message', '')}")]

    def _replies(self, mine: bytes, after: bytes, owed: bool) -> dict[bytes, Any]:
        got: dict[bytes, Any] = {}
        until_s = time.monotonic() + _HANG_MS / 1000
        while after not in got or (owed and mine not in got):
            left_ms = int((until_s - time.monotonic()) * 1000)
            if left_ms <= 0 or not self._socket.poll(left_ms):
                raise AssertionError(
                    "no reply: the server hangs" if after not in got else "a request was dropped"
                )
            envelope, reply = decode_reply(self._socket.recv())
            if envelope.request_id == NO_REQUEST and isinstance(reply, ErrorReply):
                continue  # for what has no readable envelope
            if envelope.request_id in self._open:
                self._open.remove(envelope.request_id)
                continue
            if envelope.request_id not in (mine, after) or envelope.request_id in got:
                raise AssertionError(f"a reply to {envelope.request_id.hex()}, which was not asked now")
            got[envelope.request_id] = reply
        if mine not in got:
            self._open.add(mine)  # its deadline may have been met after all; once
        return got


def _is_owed(raw: bytes) -> bool:
    """Whether the protocol promises a reply: the envelope is readable, and there is time."""
    try:
        envelope = decode_envelope(raw)
        decode_request(raw)
    except WireError:
        return len(raw) >= 21 and raw[0] == 1
    return envelope.deadline_ms >= _PATIENT_MS


@contextmanager
def _served() -> Iterator[_Wire]:
    bundle, stats = Bundle.open(_BASE.absolute()), ServerStats()
    handler = SessionHandler(EchoSession(), bundle, stats, save_evidence=True)
    with tempfile.TemporaryDirectory(prefix="pvc", dir="/tmp") as folder:
        with Server(f"ipc://{folder}/s", handler, beside=BESIDE, stats=stats) as server:
            thread = threading.Thread(target=server.serve)
            thread.start()
            try:
                with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
                    socket.setsockopt(zmq.LINGER, 0)
                    socket.connect(server.endpoint)
                    yield _Wire(socket, server)
            finally:
                server.stop()
                thread.join(20)
        if thread.is_alive():
            raise PvchatError("the server did not stop after the fuzzing.")


def _shape(words: str) -> str:
    """A message without its values; what a sender wrote may hold quotes, so nothing after it counts."""
    ours = _SENT.sub(r"\1", words)
    return re.sub(r"got `\w+`|'[^']*'|\"[^\"]*\"|\d+", "#", ours)[:200]
