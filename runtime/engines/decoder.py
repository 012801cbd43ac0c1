"""Feeds a decoder piece by piece, with the keys and values of what came before. Knows no words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import BundleError
from runtime.engines.base import Array, Engine, Held, HoldingEngine

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fed:
    """Keys and values of `length` tokens, by the names that they go in under. Never changed: several
    continuations may begin with the same.
    """

    past: Mapping[str, Held]
    length: int


class Decoder:
    """One sequence at a time, on an engine that holds the keys and values where it can."""

    def __init__(self, engine: Engine) -> None:
        """Look at what goes in and out: inputs_embeds, attention_mask, past_key_values.*; logits, present.*.

        Raises:
            BundleError: it takes no keys and values, gives none back, or does not say their sizes.
        """
        self._engine = engine if isinstance(engine, HoldingEngine) else _Copying(engine)
        empty = _empty_past(engine)
        self.empty = Fed({name: self._engine.hold(array) for name, array in empty.items()}, 0)
        self._past_of = {_present(name): name for name in empty}

    def feed(self, before: Fed, embeds: Floats) -> tuple[Fed, Floats]:
        """What there is after (L, D) embeddings more, and float32 (V,), the logits of the last of them.

        Keys and values are not looked at. One that is not finite shows in the logits, since the last position
        attends to all others.

        Raises:
            EngineError: as `Engine.run`.
        """
        length = before.length + len(embeds)
        mask = np.ones((1, length), dtype=np.int64)
        outputs, held = self._engine.run_holding(
            {"inputs_embeds": embeds[None], "attention_mask": mask}, before.past, self._past_of
        )
        past = {self._past_of[name]: value for name, value in held.items()}
        return Fed(past, length), np.asarray(outputs["logits"][0, -1], dtype=np.float32)


class _Copying:
    """An engine that holds nothing: everything comes back as an array, and goes in again as one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def hold(self, array: Array) -> Held:
        return Held(array, array.dtype, array.shape)

    def run_holding(
        self, inputs: Mapping[str, Array], held: Mapping[str, Held], hold: Collection[str]
    ) -> tuple[dict[str, Array], dict[str, Held]]:
        outputs = self._engine.run({**inputs, **{name: one.value for name, one in held.items()}})
        kept = {name: self.hold(outputs.pop(name)) for name in hold}
        return outputs, kept


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
