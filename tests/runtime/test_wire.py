"""Claims about messages as bytes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.contract.dialogue import (
    Answer,
    CameraReport,
    Evidence,
    Intent,
    LastSeen,
    Look,
    SubjectVerdict,
)
from runtime.contract.errors import PvchatError, WireError, all_errors
from runtime.contract.serving import (
    AdapterRef,
    ClipSource,
    EnrolReport,
    EnrolRequest,
    PeopleNearest,
    WindowSource,
)
from runtime.wire import (
    MAX_MESSAGE_BYTES,
    AnswerReply,
    Ask,
    DaemonAsk,
    DaemonReload,
    DaemonStatus,
    DaemonStatusReply,
    DaemonStop,
    Done,
    Enrol,
    EnrolReply,
    ErrorReply,
    Health,
    HealthReply,
    Hello,
    Ready,
    Reply,
    Request,
    SetSubjects,
    decode_envelope,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    to_error,
    to_error_reply,
)
from runtime.wire_schema import wire_schema

ID = bytes(range(16))
WHO = "s" + "0" * 32
ENVELOPE = b"\x01" + ID + (500).to_bytes(4, "big")
CLIP = {"path": "/clips/a.mkv"}

REQUESTS: list[Request] = [
    Hello(),
    Health(),
    SetSubjects(adapters=(AdapterRef(WHO, Path("/vault/blobs/ab"), 3, "Grandma"),)),
    SetSubjects(adapters=()),
    Ask(intent=Intent("existence", (WHO,), "kitchen"), names={WHO: "Oma Žižka"}, clip=ClipSource(Path("/a"))),
    Ask(intent=Intent("who"), window=WindowSource("cam", "hall", "pvc_00"), evidence_dir=Path("/e")),
    Enrol(request=EnrolRequest(WHO, Path("/a"), 2, Path("/b"), None, 1)),
    DaemonAsk(text="Is Grandma in the kitchen?", conversation="c1"),
    DaemonAsk(text="Is she there?", earlier=("Is Grandma in the kitchen?", "Who is there?")),
    DaemonStatus(),
    DaemonReload(),
    DaemonStop(),
]
ANSWER = Answer(
    kind="verdict", text="Yes.", verdict="yes", confidence=0.97, threshold=0.9, as_of=1.7e9, frame_age_ms=1.5,
    subjects=(SubjectVerdict(WHO, "yes", 0.97), SubjectVerdict(WHO, "unsure", None)), unknown_people=1,
    cameras=(CameraReport("cam", "hall", "frozen", None),),
    evidence=(Evidence("cam", 1.7e9, (1, 2, 30, 40), "ab" * 32, None, "/e/1.jpg"),),
    reason="", base="f" * 64, adapters={WHO: 3}, timings_ms={"vision": 4.25},
)  # fmt: skip
REPLIES: list[Reply] = [
    Done(),
    Ready(bundle_id="b", base="f", pid=1, shapes={"Q": 16}, window_frames=8, window_fps=4.0, accept=0.9),
    AnswerReply(answer=ANSWER, conversation="c1"),
    EnrolReply(
        report=EnrolReport(
            WHO, 1, "face", 8, 7, 7, 5, 1, 0.5, Path("/b"), None, ("x",), PeopleNearest(WHO, 0.2)
        )
    ),
    HealthReply(bundle_id="b", uptime_s=1.0, served=1, failed=2, expired=3, refused=4, queue=5, rss_mib=6.0),
    DaemonStatusReply(
        pid=1,
        uptime_s=2.0,
        rss_mib=3.0,
        runtime="ready",
        bundle_id="b",
        base="f",
        now=1.7e9,
        looks=(Look("cam", "hall", 1.7e9, (SubjectVerdict(WHO, "unsure", 0.5),), 2),),
        last_seen=(LastSeen(WHO, "unsure", 0.5, "cam", "hall", 1.7e9),),
    ),
    ErrorReply(code="busy", message="m", next_step="n"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda item: type(item).__name__)
def test_every_request_comes_back_equal(request_: Request) -> None:
    envelope, back = decode_request(encode_request(request_, ID, 500))
    assert back == request_
    assert (envelope.request_id, envelope.deadline_ms) == (ID, 500)


@pytest.mark.parametrize("reply", REPLIES, ids=lambda item: type(item).__name__)
def test_every_reply_comes_back_equal(reply: Reply) -> None:
    envelope, back = decode_reply(encode_reply(reply, ID))
    assert back == reply
    assert envelope.request_id == ID


def test_every_message_kind_is_tried() -> None:
    tried = {type(message) for message in [*REQUESTS, *REPLIES]}
    assert tried == set(Request.__args__) | set(Reply.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("cls", all_errors().values(), ids=lambda cls: str(cls.code))
def test_every_error_comes_back_as_the_same_class(cls: type[PvchatError]) -> None:
    back = to_error(to_error_reply(cls("what happened.", "Do this.")))
    assert (type(back), back.message, back.next_step) == (cls, "what happened.", "Do this.")


def test_error_code_of_a_newer_program_is_still_an_error() -> None:
    assert type(to_error(ErrorReply(code="of_tomorrow", message="m"))) is PvchatError


def test_another_version_is_refused_before_anything_else_is_read() -> None:
    with pytest.raises(WireError, match="version 2, this program speaks 1"):
        decode_request(b"\x02")
    with pytest.raises(WireError, match="version none"):
        decode_envelope(b"")


def test_reply_can_be_addressed_although_the_body_is_garbage() -> None:
    assert decode_envelope(ENVELOPE + b"\xc1garbage").request_id == ID


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"type": "health", "extra": 1}, "unknown field"),
        ({"type": "reboot"}, "reboot"),
        ({}, "type"),
        ([], "object"),
        ({"type": "ask", "intent": {"kind": "existence"}}, "exactly one"),
        ({"type": "ask", "intent": {"kind": "existence"}, "clip": CLIP, "window": None}, None),
        (
            {"type": "ask", "intent": {"kind": "who"}, "clip": CLIP,
             "window": {"camera": "c", "room": "r", "ring": "pvc"}},
            "exactly one",
        ),
        ({"type": "ask", "intent": {"kind": "mind_reading"}, "clip": CLIP}, "mind_reading"),
        ({"type": "ask", "intent": {"kind": "who"}, "clip": {"path": "relative.mkv"}}, "absolute"),
        ({"type": "ask", "intent": {"kind": "who"}, "clip": {"path": "/a\0b"}}, "absolute"),
        ({"type": "ask", "intent": {"kind": "who"}, "clip": {"path": 3}}, "Path"),
        ({"type": "daemon_ask", "text": ""}, "length"),
        ({"type": "daemon_ask", "text": "x" * 1001}, "length"),
    ],
)  # fmt: skip
def test_body_is_strict(body: Any, message: str | None) -> None:
    raw = ENVELOPE + msgspec.msgpack.encode(body)
    if message is None:
        decode_request(raw)
        return
    with pytest.raises(WireError, match=message):
        decode_request(raw)


@pytest.mark.parametrize("deadline_ms", [0, 600_001, 2**32 - 1])
def test_deadline_out_of_bounds_is_refused_on_both_sides(deadline_ms: int) -> None:
    with pytest.raises(WireError, match="deadline"):
        encode_request(Hello(), ID, deadline_ms)
    raw = b"\x01" + ID + deadline_ms.to_bytes(4, "big") + msgspec.msgpack.encode({"type": "hello"})
    with pytest.raises(WireError, match="deadline"):
        decode_request(raw)


def test_message_above_one_mebibyte_is_refused_on_both_sides() -> None:
    with pytest.raises(WireError, match="at most 1048576 travel"):
        encode_reply(ErrorReply(code="error", message="x" * MAX_MESSAGE_BYTES), ID)
    with pytest.raises(WireError, match="at most 1048576 travel"):
        decode_reply(ENVELOPE + b"\0" * MAX_MESSAGE_BYTES)


def test_path_that_is_not_utf8_is_refused_when_sent() -> None:
    with pytest.raises(WireError, match="UTF-8"):
        encode_request(Ask(intent=Intent("who"), clip=ClipSource(Path("/a\udcff"))), ID, 500)


def test_deeply_nested_message_is_refused() -> None:
    with pytest.raises(WireError):
        decode_request(ENVELOPE + b"\x81\xa4type" + b"\x91" * 200_000)


def test_pickle_is_refused() -> None:
    with pytest.raises(WireError):
        decode_request(ENVELOPE + pickle.dumps({"type": "hello"}))


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read_and_never_crash(body: bytes) -> None:
    for raw in (body, ENVELOPE + body):
        for decode in (decode_request, decode_reply):
            try:
                decode(raw)
            except WireError:
                continue


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_mutated_messages_are_refused_or_read_and_never_crash(data: st.DataObject) -> None:
    whole = [encode_request(request, ID, 500) for request in REQUESTS]
    whole += [encode_reply(reply, ID) for reply in REPLIES]
    raw = bytearray(data.draw(st.sampled_from(whole)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    for decode in (decode_request, decode_reply):
        try:
            decode(cut)
        except WireError:
            continue


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["intent", "names", "clip", "window", "adapters", "request", "text", "evidence_dir", "path", "kind"]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["ask", "enrol", "set_subjects", "daemon_ask", "hello", "answer"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON_LIKE, max_size=4),
)
def test_well_formed_bodies_of_wrong_types_are_refused_or_read(tag: str, fields: dict[str, Any]) -> None:
    raw = ENVELOPE + msgspec.msgpack.encode({"type": tag, **fields})
    try:
        _, request = decode_request(raw)
    except WireError:
        return
    assert isinstance(request, Hello | Ask | Enrol | SetSubjects | DaemonAsk)


def test_the_published_schema_is_that_of_this_program() -> None:
    published = Path(__file__).parents[2] / "docs" / "wire.schema.json"
    assert json.loads(published.read_text()) == json.loads(json.dumps(wire_schema())), (
        "run: python -m runtime schema > docs/wire.schema.json"
    )


def test_every_message_is_in_the_schema_and_no_field_of_a_message_may_be_unknown() -> None:
    parts = wire_schema()["$defs"]
    for message in (*REQUESTS, *REPLIES):
        kind = parts[type(message).__name__]
        assert kind["additionalProperties"] is False
        assert set(msgspec.to_builtins(message, enc_hook=str)) <= set(kind["properties"])
