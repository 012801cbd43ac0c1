"""Claims about requests as lines of JSON."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.dialogue import Answer
from runtime.contract.errors import ContentError
from runtime.contract.serving import ClipSource, Deadline
from runtime.pipe import serve_lines
from runtime.wire import MAX_MESSAGE_BYTES, AnswerReply, Ask, Reply, Request

ASK = b'{"type": "ask", "intent": {"kind": "who"}, "clip": {"path": "/clip.mp4"}}\n'


def handle(request: Request, deadline: Deadline) -> Reply:
    assert deadline() > 0
    assert isinstance(request, Ask)
    assert isinstance(request.source, ClipSource)
    if request.source.path.name == "bad.mp4":
        raise ContentError("the clip is no video.", "Use another one.")
    return AnswerReply(answer=Answer("people", request.source.path.name, None, None, 0.9))


def replies(source: bytes) -> list[dict[str, Any]]:
    sink = io.BytesIO()
    count = serve_lines(io.BytesIO(source), sink, handle)
    found = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert len(found) == count
    return found


def test_every_line_gets_its_reply_in_order() -> None:
    first, second = replies(ASK + ASK.replace(b"clip.mp4", b"other.mp4"))
    assert (first["type"], first["answer"]["text"]) == ("answer", "clip.mp4")
    assert second["answer"]["text"] == "other.mp4"


def test_error_is_a_reply_and_the_next_line_is_answered() -> None:
    bad, good = replies(ASK.replace(b"clip.mp4", b"bad.mp4") + ASK)
    assert (bad["type"], bad["code"], bad["next_step"]) == ("error", "content", "Use another one.")
    assert good["type"] == "answer"


def test_line_that_is_too_long_is_one_error() -> None:
    bad, good = replies(b"x" * (3 * MAX_MESSAGE_BYTES) + b"\n" + ASK)
    assert "more than" in bad["message"]
    assert good["type"] == "answer"


def test_last_line_without_an_end_is_answered() -> None:
    assert [reply["type"] for reply in replies(ASK.rstrip())] == ["answer"]


@given(st.lists(st.binary(min_size=1, max_size=60).map(lambda raw: raw.replace(b"\n", b" "))))
def test_whatever_comes_every_line_gets_exactly_one_reply(lines: list[bytes]) -> None:
    assert len(replies(b"".join(line + b"\n" for line in lines))) == len(lines)
