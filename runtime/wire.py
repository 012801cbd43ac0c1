"""Messages between processes of the box, as bytes. Knows no sockets and no models.

A message is 21 bytes of envelope (version uint8, request id 16 bytes, deadline in milliseconds uint32, big
endian, 0 in replies) and one tagged msgpack map. At most 1 MiB; no pixels. See docs/wire.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union

import msgspec

from runtime.contract.dialogue import Answer, CameraReport, Intent, LastSeen, Look
from runtime.contract.errors import PvchatError, WireError, all_errors
from runtime.contract.serving import (
    AdapterRef,
    ClipSource,
    EnrolReport,
    EnrolRequest,
    Source,
    WindowSource,
)

VERSION = 1
MAX_MESSAGE_BYTES = 1 << 20
MAX_DEADLINE_MS = 600_000
REQUEST_ID_BYTES = 16
NO_REQUEST = bytes(REQUEST_ID_BYTES)
"""The id in a reply to what has no readable envelope. A caller of another version reads our version in it."""
MAX_SUBJECTS = 64
MAX_QUESTION_CHARS = 1000
MAX_EARLIER = 8
MAX_CONVERSATION_CHARS = 256
_ENVELOPE = struct.Struct(">B16sI")

Short = Annotated[str, msgspec.Meta(max_length=MAX_CONVERSATION_CHARS)]
QuestionText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUESTION_CHARS)]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Strict: an unknown field is an error."""


class Hello(_Message, tag="hello", frozen=True):
    """Who is there? Answered with `Ready`, also while the session is busy."""


class SetSubjects(_Message, tag="set_subjects", frozen=True):
    """Replace all installed subjects at once; answered with `Done`. On any error the old set stays.

    Attributes:
        only_check: read them, and replace nothing.
    """

    adapters: Annotated[tuple[AdapterRef, ...], msgspec.Meta(max_length=MAX_SUBJECTS)]
    only_check: bool = False


class Ask(_Message, tag="ask", frozen=True):
    """One question about one source; exactly one of `clip` and `window` is set. Answered with `AnswerReply`.

    Attributes:
        names: display names by subject id.
        evidence_dir: where evidence pictures go; None: none are written.
    """

    intent: Intent
    names: dict[str, str] = {}
    clip: ClipSource | None = None
    window: WindowSource | None = None
    evidence_dir: Path | None = None

    def __post_init__(self) -> None:
        if (self.clip is None) == (self.window is None):
            raise ValueError("exactly one of clip and window must be set")

    @property
    def source(self) -> Source:
        """The one that is set."""
        source = self.clip or self.window
        if source is None:
            raise WireError("ask names no source.")
        return source


class Enrol(_Message, tag="enrol", frozen=True):
    """Make an adapter from a clip; it is written, not installed. Answered with `EnrolReply`."""

    request: EnrolRequest


class Health(_Message, tag="health", frozen=True):
    """Answered with `HealthReply`, also while the session is busy."""


class DaemonAsk(_Message, tag="daemon_ask", frozen=True):
    """A question in the user's words, about the rooms; answered with `AnswerReply`.

    Attributes:
        conversation: any text of the asker's, or what `AnswerReply.conversation` said; empty: a new one.
            In one conversation "she" and "there" mean whom and where the question before named.
        evidence_dir: where evidence pictures go; None: the home's own folder.
        earlier: questions of an asker who remembers them, the oldest first; read where the daemon remembers
            none of that conversation.
    """

    text: QuestionText
    conversation: Short = ""
    evidence_dir: Path | None = None
    earlier: Annotated[tuple[QuestionText, ...], msgspec.Meta(max_length=MAX_EARLIER)] = ()


class DaemonStatus(_Message, tag="daemon_status", frozen=True):
    """Answered with `DaemonStatusReply`."""


class DaemonReload(_Message, tag="daemon_reload", frozen=True):
    """The store or the configuration changed: read it again. Answered with `Done`."""


class DaemonStop(_Message, tag="daemon_stop", frozen=True):
    """Answered with `Done`; then the daemon ends."""


class Done(_Message, tag="done", frozen=True):
    """It is done."""


class Ready(_Message, tag="ready", frozen=True):
    """What this runtime has loaded.

    Attributes:
        shapes: sizes by letter.
        accept: probability of presence from which the bundle says `yes`, 0 to 1.
        subjects: release of the installed adapter by subject id.
        denied: by subject id, a mark of the denials that are loaded; nothing for those without.
    """

    bundle_id: str
    base: str
    pid: int
    shapes: dict[str, int]
    window_frames: int
    window_fps: float
    accept: float
    subjects: dict[str, int] = {}
    denied: dict[str, str] = {}


class AnswerReply(_Message, tag="answer", frozen=True):
    """An answer; `conversation` is for the next question of the same user (daemon only)."""

    answer: Answer
    conversation: str = ""


class EnrolReply(_Message, tag="enrolled", frozen=True):
    """What came out of the clip."""

    report: EnrolReport


class HealthReply(_Message, tag="healthy", frozen=True):
    """Counters since start.

    Attributes:
        served, failed, expired, refused: requests answered; answered with an error; dropped because
            their deadline passed while waiting; refused because the queue was full.
        queue: requests waiting now.
        overdue_s: how long ago the earliest deadline of what is being worked on passed; 0: none has.
    """

    bundle_id: str
    uptime_s: float
    served: int
    failed: int
    expired: int
    refused: int
    queue: int
    rss_mib: float
    overdue_s: float = 0.0


class DaemonStatusReply(_Message, tag="daemon_is", frozen=True):
    """The daemon at a glance.

    Attributes:
        runtime: `ready`, `starting` or `down`.
        subjects: release of the installed adapter by subject id.
        notes: what is wrong, a line each, with the next step.
        looks: what the last look at each live camera said.
        last_seen: of everybody installed who was seen since the daemon started: the last time that was sure,
            and a later one that was not.
        now: POSIX seconds by the daemon's clock, which those times are of.
    """

    pid: int
    uptime_s: float
    rss_mib: float
    runtime: str
    bundle_id: str
    base: str
    subjects: dict[str, int] = {}
    cameras: tuple[CameraReport, ...] = ()
    notes: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    last_seen: tuple[LastSeen, ...] = ()
    now: float = 0.0


class ErrorReply(_Message, tag="error", frozen=True):
    """A `PvchatError`: its code, message and next step."""

    code: str
    message: str
    next_step: str = ""


RuntimeRequest = Union[Hello, SetSubjects, Ask, Enrol, Health]  # noqa: UP007 - msgspec on 3.10 wants it
DaemonRequest = Union[DaemonAsk, DaemonStatus, DaemonReload, DaemonStop]  # noqa: UP007
Request = Union[RuntimeRequest, DaemonRequest]  # noqa: UP007
Reply = Union[Done, Ready, AnswerReply, EnrolReply, HealthReply, DaemonStatusReply, ErrorReply]  # noqa: UP007

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands before every message: the id that its reply carries, and the sender's patience."""

    request_id: bytes
    deadline_ms: int


def _to_plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not travel")


def _from_plain(kind: type, value: Any) -> Any:
    if kind is not Path or not isinstance(value, str):
        raise ValueError(f"expected {kind.__name__}")
    if not value.startswith("/") or "\0" in value or len(value) > 4096:
        raise ValueError("expected an absolute path")
    return Path(value)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_to_plain)
_LINES = msgspec.json.Encoder(enc_hook=_to_plain)
_LINE_REQUESTS = msgspec.json.Decoder(Request, dec_hook=_from_plain)
_REQUESTS = msgspec.msgpack.Decoder(Request, dec_hook=_from_plain)
_REPLIES = msgspec.msgpack.Decoder(Reply, dec_hook=_from_plain)


def encode_request(request: Request, request_id: bytes, deadline_ms: int) -> bytes:
    """A request as bytes.

    Raises:
        WireError: an id that is not 16 bytes, a deadline out of 1..600000, or more than 1 MiB.
    """
    if not 1 <= deadline_ms <= MAX_DEADLINE_MS:
        raise WireError(f"deadline of {deadline_ms} ms is not within 1 to {MAX_DEADLINE_MS}.")
    return _encode(request, request_id, deadline_ms)


def encode_reply(reply: Reply, request_id: bytes) -> bytes:
    """A reply as bytes.

    Raises:
        WireError: an id that is not 16 bytes, or more than 1 MiB.
    """
    return _encode(reply, request_id, 0)


def decode_envelope(raw: bytes) -> Envelope:
    """Only the first 21 bytes, so that a message that cannot be read can still be answered.

    Raises:
        WireError: another version, or too few bytes.
    """
    if not raw or raw[0] != VERSION:
        found = raw[0] if raw else "none"
        raise WireError(f"message has version {found}, this program speaks {VERSION}.", "Update both sides.")
    if len(raw) < _ENVELOPE.size:
        raise WireError(f"message of {len(raw)} bytes has no envelope.")
    _, request_id, deadline_ms = _ENVELOPE.unpack_from(raw)
    return Envelope(request_id, deadline_ms)


def decode_request(raw: bytes) -> tuple[Envelope, Request]:
    """A request from bytes.

    Raises:
        WireError: whatever is wrong with them.
    """
    envelope = decode_envelope(raw)
    if not 1 <= envelope.deadline_ms <= MAX_DEADLINE_MS:
        raise WireError(f"deadline of {envelope.deadline_ms} ms is not within 1 to {MAX_DEADLINE_MS}.")
    return envelope, _decode(raw, _REQUESTS)


def decode_reply(raw: bytes) -> tuple[Envelope, Reply]:
    """A reply from bytes.

    Raises:
        WireError: whatever is wrong with them.
    """
    return decode_envelope(raw), _decode(raw, _REPLIES)


def request_from_line(line: bytes) -> Request:
    """A request from one line of JSON, as the schema has it.

    Raises:
        WireError: whatever is wrong with it.
    """
    try:
        request: Request = _LINE_REQUESTS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"line cannot be read: {error}.", "See docs/wire.schema.json.") from error
    return request


def reply_to_line(reply: Reply) -> bytes:
    """A reply as one line of JSON, without its end."""
    return _LINES.encode(reply)


def to_error_reply(error: PvchatError) -> ErrorReply:
    """What the other side raises again with `to_error`."""
    return ErrorReply(code=error.code, message=error.message, next_step=error.next_step)


def to_error(reply: ErrorReply) -> PvchatError:
    """The same class of error that the other side raised; the base class for a code not known here."""
    return all_errors().get(reply.code, PvchatError)(reply.message, reply.next_step)


def _encode(message: Request | Reply, request_id: bytes, deadline_ms: int) -> bytes:
    if len(request_id) != REQUEST_ID_BYTES:
        raise WireError(f"request id has {len(request_id)} bytes, expected {REQUEST_ID_BYTES}.")
    try:
        raw = _ENVELOPE.pack(VERSION, request_id, deadline_ms) + _ENCODER.encode(message)
    except (TypeError, OverflowError, UnicodeEncodeError) as error:
        kind = type(message).__name__
        raise WireError(f"{kind} cannot be sent: {error}.", "Are all paths and names UTF-8?") from error
    if len(raw) > MAX_MESSAGE_BYTES:
        raise WireError(f"message has {len(raw)} bytes, at most {MAX_MESSAGE_BYTES} travel.")
    return raw


def _decode(raw: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if len(raw) > MAX_MESSAGE_BYTES:
        raise WireError(f"message has {len(raw)} bytes, at most {MAX_MESSAGE_BYTES} travel.")
    try:
        return decoder.decode(memoryview(raw)[_ENVELOPE.size :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"message cannot be read: {error}.", "Update both sides.") from error
