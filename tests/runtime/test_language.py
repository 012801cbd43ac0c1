"""The language model's loop, on a decoder whose words are known."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.contract.errors import BundleError, DeadlineError
from runtime.contract.prompt import (
    SPECIAL_TOKENS,
    BlockPiece,
    Piece,
    Spoken,
    build_prompt,
    canonical_question,
)
from runtime.engines.base import Array
from runtime.engines.language import Blocks, LanguageModel, load_vocabulary
from runtime.engines.ort import CPU, OrtEngine
from tests.fakes import tiny_graphs
from tests.fakes.tiny_bundle import VOCABULARY, embedding_table, language_graph, tokenizer_json

SPEC = EngineSpec(
    "m.onnx",
    tuple(
        TensorSpec(name, "int64" if name == "attention_mask" else "float32", tuple(shape))
        for name, shape in tiny_graphs.LANGUAGE_IN.items()
    ),
    tuple(
        TensorSpec(name, "float32", tuple(shape))
        for name, shape in tiny_graphs.language_out(len(VOCABULARY)).items()
    ),
)
PROMPT = build_prompt(1, canonical_question("existence", [0]))


class Counting:
    """The real engine, with the lengths of what it was fed."""

    def __init__(self) -> None:
        self.engine = OrtEngine("language", language_graph(), SPEC, provider=CPU, threads=1)
        self.fed: list[int] = []

    @property
    def specs(self) -> EngineSpec:
        return self.engine.specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.fed.append(inputs["inputs_embeds"].shape[1])
        return self.engine.run(inputs)


def language(engine: Counting | None = None, prefixes_kept: int = 4) -> LanguageModel:
    return LanguageModel(
        engine or Counting(),
        embedding_table(),
        load_vocabulary(tokenizer_json()),
        prefixes_kept=prefixes_kept,
    )


def blocks(presence: float = 0.0) -> dict[BlockPiece, NDArray[np.float32]]:
    rows = np.zeros((16, 192), dtype=np.float32)
    rows[:, -1] = presence
    empty = np.zeros((16, 192), dtype=np.float32)
    return {
        BlockPiece("video"): empty,
        BlockPiece("token", 0): np.zeros((1, 192), dtype=np.float32),
        BlockPiece("soft", 0): empty,
        BlockPiece("rows", 0): rows,
    }


def test_it_speaks_until_the_end_token() -> None:
    assert language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=20).text == "<p1> is waving ."


def test_it_stops_at_the_token_limit() -> None:
    assert language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=2).text == "<p1> is"
    assert language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=0).text == ""


def test_how_sure_it_is_of_its_words_is_the_product_of_their_probabilities() -> None:
    one = language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=1).confidence
    two = language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=2).confidence
    assert 0.5 < two < one < 1.0
    assert language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=0).confidence == 1.0
    kept = len(VOCABULARY) - len(SPECIAL_TOKENS) + 2
    first = math.exp(9) / (math.exp(9) + math.exp(5) + (kept - 2))
    assert one == pytest.approx(first, rel=1e-2)


def test_a_subject_without_evidence_is_never_spoken_of() -> None:
    assert (
        language().generate({"k": blocks()}, PROMPT, slots=[], max_tokens=20).text == "somebody is waving ."
    )


def test_word_that_may_not_be_said_is_never_chosen() -> None:
    said = language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=3, without=["is"])
    assert said.text.startswith("<p1>") and "is" not in said.text.split()


def test_prompts_are_heard_together_word_by_word() -> None:
    def first(*presence: float, without: tuple[str, ...] = ()) -> Spoken:
        prompts: dict[Hashable, Blocks] = {number: blocks(value) for number, value in enumerate(presence)}
        return language().generate(prompts, PROMPT, slots=[0], max_tokens=1, without=without)

    calm, loud = 0.0, 60.0
    assert (first(calm).text, first(loud).text) == ("<p1>", "yes")
    assert first(calm, calm) == first(calm)
    both = first(calm, calm, loud)
    assert both.text == "<p1>", "two windows are surer of it than the third is of something else"
    kept = len(VOCABULARY) - len(SPECIAL_TOKENS) + 2
    loudness = 16 * loud * 0.01 / 3
    weights = [math.exp(9), math.exp(5), math.exp(loudness), kept - 3]
    assert both.confidence == pytest.approx(weights[0] / sum(weights), rel=2e-2), "the mean is geometric"


def test_a_prompt_that_is_heard_with_others_is_kept_as_it_was() -> None:
    engine = Counting()
    model = language(engine)
    model.generate({"a": blocks(), "b": blocks(5.0)}, PROMPT, slots=[0], max_tokens=4)
    fed = len(engine.fed)
    again = model.generate({"b": blocks(5.0)}, PROMPT, slots=[0], max_tokens=4)
    assert len(engine.fed) - fed == 4, "the question and three words; the prefix is in memory"
    assert again == language().generate({"b": blocks(5.0)}, PROMPT, slots=[0], max_tokens=4)


def test_yes_grows_with_the_subjects_rows() -> None:
    model = language()
    low = model.yes_no("a", PROMPT, blocks(0.0))
    high = model.yes_no("b", PROMPT, blocks(5.0))
    assert high - low == pytest.approx(16 * 5 * 0.01, abs=1e-5)


def test_the_second_question_feeds_only_its_own_words_and_answers_the_same() -> None:
    engine = Counting()
    model = language(engine)
    first = model.yes_no("window", PROMPT, blocks(3.0))
    other: list[Piece] = build_prompt(1, canonical_question("action", [0]))
    model.yes_no("window", other, blocks(3.0))
    again = model.yes_no("window", PROMPT, blocks(3.0))
    assert engine.fed[0] > 50, "the prefix: video, subject and their rows"
    assert engine.fed[1:] == [7, 6, 7], "`is <p1> in this video ? [/INST]` and `what is <p1> doing ? [/INST]`"
    assert again == first == language().yes_no("fresh", PROMPT, blocks(3.0))


def test_a_prefix_of_another_adapter_is_not_reused() -> None:
    engine = Counting()
    model = language(engine)
    model.yes_no(("w", "adapter 1"), PROMPT, blocks(0.0))
    value = model.yes_no(("w", "adapter 2"), PROMPT, blocks(5.0))
    assert value == language().yes_no("fresh", PROMPT, blocks(5.0))
    assert engine.fed[0] == engine.fed[2]


def test_prefixes_in_memory_are_bounded() -> None:
    engine = Counting()
    model = language(engine, prefixes_kept=2)
    for key in ("a", "b", "c", "a"):
        model.yes_no(key, PROMPT, blocks())
    assert len(engine.fed) == 8, "the oldest prefix was dropped, so `a` is computed twice"


def test_a_deadline_stops_it_between_words() -> None:
    steps = 0

    def check() -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise DeadlineError("the deadline passed.")

    with pytest.raises(DeadlineError):
        language().generate({"k": blocks()}, PROMPT, slots=[0], max_tokens=20, check=check)
    assert steps == 3


def test_a_tokenizer_without_the_slots_is_refused() -> None:
    damaged = tokenizer_json().replace(b"<p8>", b"<q8>")
    with pytest.raises(BundleError, match="<p8>"):
        load_vocabulary(damaged)
    with pytest.raises(BundleError, match="cannot be read"):
        load_vocabulary(b"{}")
