"""Claims about feeding a decoder piece by piece, on the one that ships."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.paths import base_bundle
from runtime.contract.bundle import Bundle, EngineSpec
from runtime.contract.errors import EngineError
from runtime.engines.base import Array, BindingEngine, Run
from runtime.engines.decoder import Decoder, Fed, Floats
from runtime.engines.ort import CPU, OrtEngine
from runtime.session import models


@pytest.fixture(scope="module")
def engine() -> OrtEngine:
    bundle = Bundle.open(base_bundle())
    spec = bundle.manifest.engines["language"]
    return OrtEngine("language", bundle.read(spec.path), spec, provider=CPU, threads=1)


class Plain:
    """The same engine with nothing but `run`."""

    def __init__(self, engine: OrtEngine) -> None:
        self.engine = engine

    @property
    def specs(self) -> EngineSpec:
        return self.engine.specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return self.engine.run(inputs)


class Wrong(Plain):
    """Says that it writes in place, and writes something else."""

    def bind(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Run:
        bound = self.engine.bind(inputs, outputs)

        def run(others: Mapping[str, Array]) -> dict[str, Array]:
            found = bound(others)
            for array in outputs.values():
                array *= 1.01
            return found

        return run


def rows(engine: OrtEngine, count: int) -> Floats:
    width = next(spec.shape[2] for spec in engine.specs.inputs if spec.name == "inputs_embeds")
    assert isinstance(width, int)
    return np.random.default_rng(7).normal(0, 0.05, (count, width)).astype(np.float32)


def test_keys_and_values_written_in_place_give_bit_for_bit_what_arrays_give(engine: OrtEngine) -> None:
    assert Decoder(engine).in_place and not Decoder(Plain(engine)).in_place
    embeds = rows(engine, 150)
    said: list[list[Floats]] = []
    for decoder in (Decoder(engine), Decoder(Plain(engine))):
        state, first = decoder.feed(decoder.empty, embeds[:90])
        logits = [first]
        for at in range(90, 150):
            state, more = decoder.feed(state, embeds[at : at + 1])
            logits.append(more)
        said.append(logits)
        assert state.length == 150, "further than the first buffer has room"
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(*said, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 40)), min_size=1, max_size=8))
def test_whatever_is_continued_from_is_as_it_was(engine: OrtEngine, pieces: list[tuple[int, int]]) -> None:
    """Each piece goes on from any state so far, as often as one likes."""
    embeds = rows(engine, 400)
    ours, theirs = Decoder(engine), Decoder(Plain(engine))
    states: list[tuple[Fed, Fed]] = [(ours.empty, theirs.empty)]
    for number, length in pieces:
        mine, plain = states[number % len(states)]
        piece = embeds[len(states) * 40 : len(states) * 40 + length]
        one, said = ours.feed(mine, piece)
        other, wanted = theirs.feed(plain, piece)
        assert np.array_equal(said, wanted)
        states.append((one, other))


def test_an_engine_that_writes_something_else_in_place_is_fed_by_hand(engine: OrtEngine) -> None:
    wrong, right, embeds = Decoder(Wrong(engine)), Decoder(engine), rows(engine, 5)
    assert isinstance(Wrong(engine), BindingEngine) and not wrong.in_place
    assert np.array_equal(wrong.feed(wrong.empty, embeds)[1], right.feed(right.empty, embeds)[1])


def test_an_engine_that_cannot_be_bound_is_fed_by_hand(engine: OrtEngine) -> None:
    class Unbound(Plain):
        def bind(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Run:
            return self.engine.bind(inputs, {"no such output": next(iter(outputs.values()))})

    decoder, embeds = Decoder(Unbound(engine)), rows(engine, 5)
    assert not decoder.in_place
    assert np.array_equal(
        decoder.feed(decoder.empty, embeds)[1], Decoder(engine).feed(Decoder(engine).empty, embeds)[1]
    )


def test_only_a_large_decoders_threads_wait_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.open(base_bundle())
    spins = {}
    for least in (models.SPIN_FROM, 1000):
        monkeypatch.setattr(models, "SPIN_FROM", least)
        for role in ("language", "enrol"):
            spec = bundle.manifest.engines[role]
            loaded = models.open_engine(role, bundle.read(spec.path), spec, provider=CPU, threads=1)
            spins[role, least == 1000] = loaded.spins
    assert [key for key, awake in spins.items() if awake] == [("language", True)]


def test_a_key_that_is_no_number_is_an_error_and_no_answer(engine: OrtEngine) -> None:
    decoder, embeds = Decoder(engine), rows(engine, 6)
    begun: Any = decoder.feed(decoder.empty, embeds[:5])[0]
    next(iter(begun.buffers.arrays.values()))[0, 0, 2, 0] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        decoder.feed(begun, embeds[5:])


def test_after_an_error_the_state_before_it_goes_on(engine: OrtEngine) -> None:
    decoder, embeds = Decoder(engine), rows(engine, 8)
    begun, _ = decoder.feed(decoder.empty, embeds[:5])
    with pytest.raises(EngineError):
        decoder.feed(begun, np.full((1, embeds.shape[1]), np.nan, dtype=np.float32))
    plain = Decoder(Plain(engine))
    wanted = plain.feed(plain.feed(plain.empty, embeds[:5])[0], embeds[5:])[1]
    assert np.array_equal(decoder.feed(begun, embeds[5:])[1], wanted)
