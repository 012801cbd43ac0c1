"""Answers as JSON: as `ask --json` prints them, and as OpenAI's clients read them. Knows no sockets."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from runtime.contract.dialogue import Answer, exit_code
from runtime.contract.errors import BusyError, PvchatError, RefusedError, UnavailableError

MODEL = "pvchat-edge"
_PATH = re.compile(r"(?<![\w/:.])(?:ipc:/)?/[\w.+@~-]+(?:/[\w.+@~-]*)+")
OF_A_CLIP = "This is about the clip alone: freshness and rooms do not apply."
OF_A_PICTURE = (
    "This is about the picture alone: freshness and rooms do not apply, and it cannot tell a person from a "
    "photograph of that person."
)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer.

    Attributes:
        conversation: which it belongs to.
        note: what does not apply to it.
        expired: whether it is `unavailable` because its time was over.
    """

    answer: Answer
    conversation: str = ""
    note: str = ""
    expired: bool = False


def answer_of(error: PvchatError) -> Answer | None:
    """The answer that an error is by the truth contract; None: it is none."""
    if isinstance(error, RefusedError):
        return Answer("refusal", error.message, None, None, 0.0, reason=str(error))
    if isinstance(error, UnavailableError) and not isinstance(error, BusyError):
        return Answer("verdict", error.message, "unavailable", None, 0.0, reason=str(error))
    return None


def answer_json(question: str, said: Said) -> dict[str, Any]:
    """Every field, under the names that `ask --json` uses."""
    answer = dataclasses.asdict(said.answer)
    return {
        "question": question,
        **answer,
        "conversation": said.conversation,
        "exit_code": exit_code(said.answer),
    }


def without_paths(answer: Answer) -> Answer:
    """For callers who may not be on the box: no place on it, neither of evidence nor in a reason."""
    return dataclasses.replace(
        answer,
        text=_PATH.sub("…", answer.text),
        reason=_PATH.sub("…", answer.reason),
        evidence=tuple(dataclasses.replace(one, image="") for one in answer.evidence),
    )


def error_without_paths(error: PvchatError) -> PvchatError:
    """The same error for callers who may not be on the box."""
    return type(error)(_PATH.sub("…", error.message), _PATH.sub("…", error.next_step))


def chat_json(question: str, said: Said, *, created: int) -> dict[str, Any]:
    """A chat completion; the whole answer stands under `pvchat`."""
    refused = said.answer.kind == "refusal"
    message = {
        "role": "assistant",
        "content": content(said),
        "refusal": said.answer.reason or said.answer.text if refused else None,
    }
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": created,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "pvchat": {**answer_json(question, said), "note": said.note},
    }


def chat_events(completion: dict[str, Any]) -> str:
    """A finished completion as the server-sent events of `stream: true`: one piece, then the end."""
    message = completion["choices"][0]["message"]
    whole = {**completion, "object": "chat.completion.chunk"}
    ends: tuple[tuple[dict[str, Any], str | None], ...] = ((dict(message), None), ({}, "stop"))
    pieces = [
        {**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in ends
    ]
    lines = [json.dumps(piece, ensure_ascii=False) for piece in pieces]
    return "".join(f"data: {line}\n\n" for line in (*lines, "[DONE]"))


def content(said: Said) -> str:
    """The sentence, then why, then what does not apply."""
    answer = said.answer
    why = answer.reason if answer.reason not in answer.text else ""
    if why.startswith(answer.text):
        return " ".join(part for part in (why, said.note) if part)
    return " ".join(part for part in (answer.text, why, said.note) if part)
