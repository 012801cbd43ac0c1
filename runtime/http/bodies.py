"""What callers send, as types, and how its bytes are taken in with bounds. Knows no people and no answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar, Union

import msgspec

from runtime.contract.errors import UsageError
from runtime.http.problems import HttpProblem
from runtime.wire import MAX_CONVERSATION_CHARS, MAX_DEADLINE_MS, MAX_EARLIER, MAX_QUESTION_CHARS

MAX_BODY_BYTES = 4 << 20
MAX_MESSAGES = 256
_BODY_S = 20.0
_NO_PICTURES: tuple[str, ...] = ()
_SEE = "See /openapi.json."

Conversation = Annotated[str, msgspec.Meta(max_length=MAX_CONVERSATION_CHARS)]
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=MAX_DEADLINE_MS)]
ClipPath = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class AskBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One question, as `pvchat-edge ask` takes it.

    Attributes:
        clip: path of a video file on the box, in an allowed folder; without, the cameras are asked.
        conversation: what "she" and "there" refer to; the answer names it for the next question.
    """

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUESTION_CHARS)]
    clip: ClipPath | None = None
    conversation: Conversation = ""
    timeout_ms: Milliseconds | None = None


class ImageUrl(msgspec.Struct, frozen=True):
    """A picture, as a data: URL."""

    url: str


class TextPart(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Words."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="image_url"):
    """A picture."""

    image_url: ImageUrl


Part = Union[TextPart, ImagePart]  # noqa: UP007 - msgspec on 3.10 wants it


class Message(msgspec.Struct, frozen=True):
    """One turn of a chat; only those of the user are read."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, list):
            return " ".join(part.text for part in self.content if isinstance(part, TextPart)).strip()
        return (self.content or "").strip()

    @property
    def pictures(self) -> tuple[str, ...]:
        """Its pictures' URLs."""
        parts = self.content if isinstance(self.content, list) else []
        return tuple(part.image_url.url for part in parts if isinstance(part, ImagePart))


class ChatBody(msgspec.Struct, frozen=True, kw_only=True):
    """A chat as OpenAI's clients send it; fields that are not named here are ignored.

    Attributes:
        clip, conversation, timeout_ms: as in `AskBody`, beside OpenAI's own fields.
    """

    messages: Annotated[list[Message], msgspec.Meta(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool = False
    clip: ClipPath | None = None
    conversation: Conversation = ""
    timeout_ms: Milliseconds | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, whichever way it came.

    Attributes:
        clip: path of a video file; empty: none. pictures: data: URLs.
        timeout_ms: None: the settings'.
        earlier: questions before this one, the oldest first: "she" may mean whom they named.
    """

    text: str
    clip: str = ""
    pictures: tuple[str, ...] = ()
    conversation: str = ""
    timeout_ms: int | None = None
    earlier: tuple[str, ...] = ()


def asked_of(body: AskBody | ChatBody) -> Asked:
    """The question: the last message of a chat.

    Raises:
        UsageError: that is not the user's, has no words or too many, or leaves its picture behind.
    """
    text, pictures = (body.question, _NO_PICTURES) if isinstance(body, AskBody) else _last_of(body.messages)
    if not 0 < len(text.strip()) <= MAX_QUESTION_CHARS:
        raise UsageError(f"a question has 1 to {MAX_QUESTION_CHARS} characters, got {len(text)}.")
    if pictures and body.clip:
        raise UsageError("a clip and a picture cannot be asked about at once.", "Leave one out.")
    earlier = () if isinstance(body, AskBody) else _earlier(body.messages)
    return Asked(text, body.clip or "", pictures, body.conversation, body.timeout_ms, earlier)


def _earlier(messages: Sequence[Message]) -> tuple[str, ...]:
    """What the user asked before; what could never have been a question is left out."""
    asked = [message.text for message in messages[:-1] if message.role == "user"]
    return tuple(text for text in asked if 0 < len(text) <= MAX_QUESTION_CHARS)[-MAX_EARLIER:]


def _last_of(messages: list[Message]) -> tuple[str, tuple[str, ...]]:
    last = messages[-1]
    if last.role != "user":
        raise UsageError(f"the last message is the {last.role}'s.", "End with the user's question.")
    if not last.pictures and any(message.pictures for message in messages[:-1]):
        raise UsageError(
            "the picture is in an earlier message.",
            "Send it with the question again; a new chat without one asks the cameras.",
        )
    return last.text, last.pictures


T = TypeVar("T")


async def read_body(chunks: AsyncIterator[bytes], announced: str | None) -> bytes:
    """A request's body, never more than 4 MiB of it.

    Args:
        announced: the `Content-Length` header.

    Raises:
        HttpProblem: 413 too large, 408 too slow.
    """
    problem = HttpProblem(
        413, UsageError(f"the request has more than {MAX_BODY_BYTES} bytes.", "Send a smaller picture.")
    )
    if announced is not None and announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise problem
    try:
        return await asyncio.wait_for(_gather(chunks, problem), _BODY_S)
    except asyncio.TimeoutError as error:
        raise HttpProblem(408, UsageError("the request did not arrive in time.", "Try again.")) from error


async def _gather(chunks: AsyncIterator[bytes], problem: HttpProblem) -> bytes:
    raw = bytearray()
    async for chunk in chunks:
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise problem
    return bytes(raw)


def decode_body(raw: bytes, kind: type[T]) -> T:
    """A body as its type.

    Raises:
        UsageError: it is no JSON, or not as the OpenAPI document has it.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the request cannot be read: {error}.", _SEE) from error
