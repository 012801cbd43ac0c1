"""Claims about feeding a decoder piece by piece, on the one that ships."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from device.paths import base_bundle
from runtime.contract.bundle import Bundle, EngineSpec
from runtime.contract.errors import EngineError
from runtime.engines.base import Array, Held, HoldingEngine
from runtime.engines.decoder import Decoder, Fed, Floats
from runtime.engines.ort import CPU, OrtEngine


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


def rows(engine: OrtEngine, count: int) -> Floats:
    width = next(spec.shape[2] for spec in engine.specs.inputs if spec.name == "inputs_embeds")
    assert isinstance(width, int)
    return np.random.default_rng(7).normal(0, 0.05, (count, width)).astype(np.float32)


def test_what_is_held_gives_bit_for_bit_what_arrays_give(engine: OrtEngine) -> None:
    assert isinstance(engine, HoldingEngine) and not isinstance(Plain(engine), HoldingEngine)
    embeds = rows(engine, 12)
    said: list[list[Floats]] = []
    for decoder in (Decoder(engine), Decoder(Plain(engine))):
        state, first = decoder.feed(decoder.empty, embeds[:9])
        logits = [first]
        for at in range(9, 12):
            state, more = decoder.feed(state, embeds[at : at + 1])
            logits.append(more)
        said.append(logits)
        assert state.length == 12
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(*said, strict=True))


def test_two_continuations_of_one_beginning_know_nothing_of_each_other(engine: OrtEngine) -> None:
    decoder, embeds = Decoder(engine), rows(engine, 10)
    begun, _ = decoder.feed(decoder.empty, embeds[:8])
    one, _ = decoder.feed(begun, embeds[8:9])
    _, wanted = decoder.feed(one, embeds[9:10])
    other, _ = decoder.feed(begun, -embeds[8:9])
    decoder.feed(other, embeds[9:10])
    again, _ = decoder.feed(begun, embeds[8:9])
    assert np.array_equal(decoder.feed(again, embeds[9:10])[1], wanted)


def test_a_key_that_is_no_number_is_an_error_and_no_answer(engine: OrtEngine) -> None:
    decoder, embeds = Decoder(engine), rows(engine, 6)
    begun, _ = decoder.feed(decoder.empty, embeds[:5])
    name = next(iter(begun.past))
    array = np.zeros(begun.past[name].shape, dtype=np.float32)
    array[0, 0, 2, 0] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        decoder.feed(Fed({**begun.past, name: engine.hold(array)}, begun.length), embeds[5:])


def test_what_is_held_must_fit_like_any_input(engine: OrtEngine) -> None:
    decoder, embeds = Decoder(engine), rows(engine, 1)
    begun, _ = decoder.feed(decoder.empty, embeds)
    name = next(iter(begun.past))
    other = begun.past[name]
    narrow = Held(other.value, other.dtype, (*other.shape[:3], other.shape[3] + 1))
    with pytest.raises(EngineError, match=name):
        decoder.feed(Fed({**begun.past, name: narrow}, 1), embeds)
