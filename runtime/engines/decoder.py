"""Feeds a decoder piece by piece, with the keys and values of what came before. Knows no words.

Keys and values stay in one buffer a sequence, which the engine reads and writes, where it can do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import BundleError, EngineError
from runtime.engines.base import Array, BindingEngine, Engine

Floats = NDArray[np.float32]
_STEP = 64
"""Buffers have room for a multiple of so many tokens, and for half as many more than are asked for."""


class Fed(Protocol):
    """What a decoder has been fed. Never changes: several continuations may begin with the same."""

    @property
    def length(self) -> int:
        """Tokens so far."""
        ...


class Decoder:
    """One sequence at a time."""

    def __init__(self, engine: Engine) -> None:
        """Look at what goes in and out: inputs_embeds, attention_mask, past_key_values.*; logits, present.*.

        Whether the engine can write keys and values where it reads them is tried, not asked: it must say the
        same as without, bit for bit.

        Raises:
            BundleError: it takes no keys and values, gives none back, or does not say their sizes.
        """
        empty = _empty_past(engine)
        by_hand = _ByHand(engine, empty)
        self._way: _ByHand | _InPlace = by_hand
        in_place = _in_place(engine, empty)
        if in_place is not None and _agree(engine, in_place, by_hand):
            self._way = in_place

    @property
    def in_place(self) -> bool:
        """Whether keys and values are written where they are read."""
        return isinstance(self._way, _InPlace)

    @property
    def empty(self) -> Fed:
        """Nothing so far."""
        return self._way.empty

    def feed(self, before: Fed, embeds: Floats) -> tuple[Fed, Floats]:
        """What there is after (L, D) embeddings more, and float32 (V,), the logits of the last of them.

        Raises:
            EngineError: as `Engine.run`; keys and values that are not finite show in the logits, since the
                last position attends to all others.
        """
        return self._way.feed(before, embeds)


@dataclass(frozen=True, slots=True)
class _Handed:
    past: Mapping[str, Array]
    length: int


class _ByHand:
    """Keys and values come back as arrays, and go in again."""

    def __init__(self, engine: Engine, empty: Mapping[str, Array]) -> None:
        self._engine = engine
        self.empty = _Handed(empty, 0)

    def feed(self, before: Fed, embeds: Floats) -> tuple[_Handed, Floats]:
        if not isinstance(before, _Handed):
            raise TypeError("fed by another decoder")
        length = before.length + len(embeds)
        outputs = self._engine.run({**_inputs(embeds, length), **before.past})
        past = {name: outputs[_present(name)] for name in before.past}
        return _Handed(past, length), _last(outputs)


class _Buffers:
    """Keys and values of one sequence, and what runs on them.

    Attributes:
        written: tokens that are in them.
    """

    def __init__(self, engine: BindingEngine, empty: Mapping[str, Array], room: int) -> None:
        self.room, self.written = room, 0
        self.arrays = {
            name: np.zeros((*array.shape[:2], room, array.shape[3]), dtype=array.dtype)
            for name, array in empty.items()
        }
        self.run = engine.bind(self.arrays, {_present(name): a for name, a in self.arrays.items()})


@dataclass(frozen=True, slots=True)
class _Placed:
    """The first `length` tokens of some buffers; whoever fed more has left them as they are."""

    buffers: _Buffers
    length: int


class _InPlace:
    """Keys and values are written behind those that are there; a second continuation gets a copy."""

    def __init__(self, engine: BindingEngine, empty: Mapping[str, Array]) -> None:
        self._engine, self._like = engine, empty
        self.empty = _Placed(_Buffers(engine, empty, 0), 0)

    def feed(self, before: Fed, embeds: Floats) -> tuple[_Placed, Floats]:
        if not isinstance(before, _Placed):
            raise TypeError("fed by another decoder")
        length, buffers = before.length + len(embeds), before.buffers
        if buffers.written != before.length or length > buffers.room:
            buffers = self._copy(before, length)
        buffers.written = length
        return _Placed(buffers, length), _last(buffers.run(_inputs(embeds, length)))

    def _copy(self, before: _Placed, length: int) -> _Buffers:
        room = -(-(length + _STEP // 2) // _STEP) * _STEP
        copy = _Buffers(self._engine, self._like, room)
        for name, array in copy.arrays.items():
            array[:, :, : before.length] = before.buffers.arrays[name][:, :, : before.length]
        return copy


def _in_place(engine: Engine, empty: Mapping[str, Array]) -> _InPlace | None:
    """None where the engine cannot be bound."""
    if not isinstance(engine, BindingEngine):
        return None
    try:
        return _InPlace(engine, empty)
    except EngineError:
        return None


def _agree(engine: Engine, one: _InPlace, other: _ByHand) -> bool:
    width = next(spec.shape[2] for spec in engine.specs.inputs if spec.name == "inputs_embeds")
    if not isinstance(width, int):
        return False
    rows = np.random.default_rng(0).normal(0, 0.1, (6, width)).astype(np.float32)
    said: list[list[Floats]] = []
    for way in (one, other):
        state: Fed = way.empty
        try:
            logits = []
            for piece in (rows[:3], rows[3:5], rows[5:]):
                state, last = way.feed(state, piece)
                logits.append(last)
        except EngineError:
            return False
        said.append(logits)
    return all(np.array_equal(ours, theirs) for ours, theirs in zip(*said, strict=True))


def _inputs(embeds: Floats, length: int) -> dict[str, Array]:
    return {"inputs_embeds": embeds[None], "attention_mask": np.ones((1, length), dtype=np.int64)}


def _last(outputs: Mapping[str, Array]) -> Floats:
    return np.asarray(outputs["logits"][0, -1], dtype=np.float32)


def _present(past: str) -> str:
    return past.replace("past_key_values.", "present.")


def _empty_past(engine: Engine) -> dict[str, Array]:
    """Keys and values of no tokens: (1, heads, 0, width) for every past input."""
    empty: dict[str, Array] = {}
    outputs = {spec.name for spec in engine.specs.outputs}
    for spec in engine.specs.inputs:
        if not spec.name.startswith("past_key_values."):
            continue
        if len(spec.shape) != 4 or _present(spec.name) not in outputs:
            raise BundleError(f"the language engine's {spec.name} has no matching output.")
        heads, width = spec.shape[1], spec.shape[3]
        if not isinstance(heads, int) or not isinstance(width, int):
            raise BundleError(f"the manifest does not give the sizes of {spec.name}: {spec.shape}.")
        empty[spec.name] = np.zeros((1, heads, 0, width), dtype=spec.dtype)
    if not empty:
        raise BundleError("the language engine takes no past keys and values.", "Export the bundle again.")
    return empty
