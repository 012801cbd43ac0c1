"""Valid messages, and what becomes of them: bytes changed, trees of the body changed. Knows no sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from runtime.contract.dialogue import Answer, Intent
from runtime.contract.serving import AdapterRef, ClipSource, EnrolRequest, WindowSource
from runtime.wire import (
    AnswerReply,
    Ask,
    DaemonAsk,
    DaemonReload,
    DaemonStatus,
    DaemonStop,
    Done,
    Enrol,
    ErrorReply,
    Health,
    Hello,
    Reply,
    Request,
    SetSubjects,
    encode_reply,
    encode_request,
)

ENVELOPE_BYTES = 21
_WHO = "s" + "0" * 32
_ID = bytes(range(16))
_REQUESTS: tuple[Request, ...] = (
    Hello(),
    Health(),
    SetSubjects(
        adapters=(AdapterRef(_WHO, Path("/b/ab"), 3, "Oma Žižka", (Path("/b/cd"),)),), only_check=True
    ),
    Ask(intent=Intent("existence", (_WHO,), "kitchen"), names={_WHO: "Oma"}, clip=ClipSource(Path("/a.mkv"))),
    Ask(intent=Intent("who"), window=WindowSource("cam", "hall", "pvc_00"), evidence_dir=Path("/e")),
    Enrol(request=EnrolRequest(_WHO, Path("/a"), 2, Path("/b"), None, 1, (Path("/c"),))),
    DaemonAsk(text="Is Oma here?", conversation="c1", evidence_dir=Path("/e")),
    DaemonStatus(),
    DaemonReload(),
    DaemonStop(),
)
_REPLIES: tuple[Reply, ...] = (
    Done(),
    AnswerReply(answer=Answer("verdict", "Yes.", "yes", 0.97, 0.9), conversation="c1"),
    ErrorReply(code="busy", message="m", next_step="n"),
)
_STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, -(2**63), 2**64 - 1, 0.5, float("nan"), float("inf"), "", "/", "a\0b",
    "x" * 300, b"", b"\xff" * 9, [], {}, [[]], {"": {}}, "/" + "y" * 4100, "who", _WHO, "hello", 1e308,
)  # fmt: skip
_BYTES = (0x00, 0x01, 0x7F, 0x80, 0x90, 0xA0, 0xC0, 0xC1, 0xC4, 0xC7, 0xCA, 0xD9, 0xDC, 0xDF, 0xE0, 0xFF)
_MAX_BYTES = 1 << 14


def valid_messages() -> list[bytes]:
    """One of each kind, with every field set."""
    whole = [encode_request(one, _ID, 5_000) for one in _REQUESTS]
    return whole + [encode_reply(one, _ID) for one in _REPLIES]


def mutated(raw: bytes, other: bytes, random: Random) -> bytes:
    """One to four changes of a message; some are taken from another message."""
    for _ in range(random.randint(1, 4)):
        raw = random.choice(_WAYS)(raw, other, random)
    return raw[:_MAX_BYTES]


def _set_byte(raw: bytes, other: bytes, random: Random) -> bytes:
    if not raw:
        return bytes([random.choice(_BYTES)])
    at = random.randrange(len(raw))
    return raw[:at] + bytes([random.choice(_BYTES)]) + raw[at + 1 :]


def _flip_bit(raw: bytes, other: bytes, random: Random) -> bytes:
    if not raw:
        return raw
    at = random.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ (1 << random.randrange(8))]) + raw[at + 1 :]


def _insert(raw: bytes, other: bytes, random: Random) -> bytes:
    at = random.randint(0, len(raw))
    return raw[:at] + random.randbytes(random.randint(1, 8)) + raw[at:]


def _cut(raw: bytes, other: bytes, random: Random) -> bytes:
    start = random.randint(0, len(raw))
    return raw[:start] + raw[start + random.randint(1, 16) :]


def _splice(raw: bytes, other: bytes, random: Random) -> bytes:
    return raw[: random.randint(0, len(raw))] + other[random.randint(0, len(other)) :]


def _repeat(raw: bytes, other: bytes, random: Random) -> bytes:
    at = random.randint(0, len(raw))
    return raw[:at] + raw[at : at + 8] * random.randint(2, 64) + raw[at:]


def _set_deadline(raw: bytes, other: bytes, random: Random) -> bytes:
    deadline_ms = random.choice((0, 1, 5_000, 600_000, 600_001, 2**32 - 1))
    return raw[:17] + deadline_ms.to_bytes(4, "big") + raw[ENVELOPE_BYTES:]


def _change_tree(raw: bytes, other: bytes, random: Random) -> bytes:
    """Another value, field or type somewhere in the body, which stays well-formed."""
    try:
        body, donor = (
            msgspec.msgpack.decode(raw[ENVELOPE_BYTES:]),
            msgspec.msgpack.decode(other[ENVELOPE_BYTES:]),
        )
        return raw[:ENVELOPE_BYTES] + msgspec.msgpack.encode(_changed(body, donor, random))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, OverflowError):
        return _set_byte(raw, other, random)


def _changed(tree: Any, donor: Any, random: Random) -> Any:
    if isinstance(tree, dict) and tree and random.random() < 0.85:
        key = random.choice(list(tree))
        what = random.random()
        if what < 0.6:
            return {**tree, key: _changed(tree[key], donor, random)}
        if what < 0.75:
            return {name: value for name, value in tree.items() if name != key}
        if what < 0.9 and isinstance(donor, dict):
            return {**tree, **dict(random.sample(list(donor.items()), min(1, len(donor))))}
        return {**tree, random.choice(("type", "extra", "path", "kind")): random.choice(_STRANGE)}
    if isinstance(tree, list) and tree and random.random() < 0.7:
        at = random.randrange(len(tree))
        return [*tree[:at], _changed(tree[at], donor, random), *tree[at + random.randint(0, 1) :]]
    return random.choice((*_STRANGE, donor))


_WAYS: tuple[Callable[[bytes, bytes, Random], bytes], ...] = (
    _set_byte, _flip_bit, _insert, _cut, _splice, _repeat, _set_deadline,
    _change_tree, _change_tree, _change_tree, _change_tree,
)  # fmt: skip
