"""Claims about how far two decoders' answers agree, and about the gate on the shipped decoder's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from device.paths import base_bundle
from export.answers import Pair, by_kind, same_slots, surprise
from export.config import EXACT, ROUNDED, LanguageExport
from export.dequantise import decoder_precision, with_accuracy
from export.language_parity import ask_both, check_language
from export.prompts import PromptCase, made_prompts
from runtime.contract.bundle import INT4, W4A8, Bundle
from runtime.contract.errors import BundleError
from train.checkpoint import load_base
from train.model.pvchat import PVChat

GREY = "<p1> is wearing a grey shirt and blue trousers ."
RED = "<p1> is wearing a red shirt ."


@dataclass(frozen=True, slots=True)
class Shipped:
    """The package's own base: its decoder in torch and in int4."""

    model: PVChat
    engine: bytes
    tokenizer_json: str
    prompts: list[PromptCase]


@pytest.fixture(scope="module")
def shipped() -> Shipped:
    root = base_bundle()
    model, sizes = load_base(root / "checkpoint")
    tokenizer_json = (root / "checkpoint" / "tokenizer.json").read_text(encoding="utf-8")
    prompts = made_prompts(model, sizes, windows=4, seed=1)
    return Shipped(model, Path(root / "language" / "model.onnx").read_bytes(), tokenizer_json, prompts)


def test_the_graph_is_judged_without_the_rounding_of_activations_and_the_answers_with_it(
    shipped: Shipped,
) -> None:
    language = shipped.model.language
    reports = {}
    for level in (EXACT, ROUNDED):
        engine = with_accuracy(onnx.load_from_string(shipped.engine), level)
        reports[level] = check_language(
            language, engine, shipped.tokenizer_json, shipped.prompts, LanguageExport(accuracy_level=level)
        )
    exact, rounded = reports[EXACT], reports[ROUNDED]
    assert exact["graph_max_abs"] == rounded["graph_max_abs"] < 1e-3
    assert exact["cosine_mean"] != rounded["cosine_mean"] > 0.99


def test_the_manifest_says_whether_activations_are_rounded(shipped: Shipped) -> None:
    found = Bundle.open(base_bundle()).manifest.engines["language"].precision
    assert found == decoder_precision(shipped.engine) == W4A8
    graph = onnx.load_from_string(shipped.engine)
    assert [decoder_precision(with_accuracy(graph, level)) for level in (EXACT, ROUNDED)] == [INT4, W4A8]


def test_slots_are_the_words_that_carry_facts() -> None:
    assert same_slots(GREY, GREY) == (4, 4)
    assert same_slots(RED, GREY) == (1, 4)  # the kind of the upper garment
    assert same_slots("yes , <p1> is here .", "no , <p1> is not .") == (0, 1)
    assert same_slots("hm", "hm") == (0, 0)


def test_surprise_is_minus_the_logarithm_of_the_probability() -> None:
    logits = np.log(np.array([0.5, 0.25, 0.25], dtype=np.float32)) + 100
    assert surprise(logits, 1) == pytest.approx(math.log(4), abs=1e-4)


def test_perplexity_of_a_fair_choice_among_four_is_four() -> None:
    pair = Pair("action", "hm", "hm", False, [math.log(4)] * 3, [math.log(2)] * 3)
    found = by_kind([pair])["action"]
    assert found["perplexity"] == pytest.approx(4)
    assert found["perplexity_ratio"] == pytest.approx(2)


def test_agreement_is_told_kind_by_kind_and_a_share_of_nothing_is_left_out() -> None:
    found = by_kind(
        [
            Pair("appearance", RED, GREY, False, [1.0], [1.0]),
            Pair("existence", "yes , <p1> is .", "yes , <p1> is .", True, [1.0], [1.0], 2.0, 0.0),
            Pair("action", "hm", "hm", True, [1.0], [1.0]),
        ]
    )
    assert found["appearance"]["slots"] == 0.25
    assert "clear_slots" not in found["appearance"]
    assert "slots" not in found["action"]
    assert found["existence"]["yes_no"] == 0
    assert found["existence"]["drift"] == pytest.approx(1 / (1 + math.exp(-2)) - 0.5)
    assert found["all"]["slots"] == pytest.approx(2 / 5)


def test_prompts_describe_one_person_as_the_box_asks(shipped: Shipped) -> None:
    kinds = {case.kind for case in shipped.prompts}
    assert kinds == {"existence", "appearance", "action", "location"}
    for case in shipped.prompts:
        assert ("<p1> and <p2>" in str(case.pieces[-1])) is (case.yes_no and case.subjects == 2)
        assert case.answer.startswith("yes") is case.yes_no


@pytest.mark.timeout(300)
def test_the_shipped_decoder_passes_the_gates_and_tells_every_kind(shipped: Shipped) -> None:
    report = check_language(
        shipped.model.language, shipped.engine, shipped.tokenizer_json, shipped.prompts, LanguageExport()
    )
    assert set(report["kinds"]) == {"existence", "appearance", "action", "location", "all"}
    for found in report["kinds"].values():
        assert found["perplexity"] > 1
        assert 0 <= found["slots"] <= 1
    assert report["kinds"]["existence"]["drift"] <= report["kinds"]["existence"]["drift_max"]


@pytest.mark.timeout(300)
def test_a_decoder_with_one_spoiled_layer_answers_otherwise_and_is_refused(shipped: Shipped) -> None:
    """The graph is still right, with the engine's own weights: only what it answers can tell."""
    language, text = shipped.model.language, shipped.tokenizer_json
    spoiled = _with_spoiled_layer(shipped.engine)
    good, bad = (
        by_kind(ask_both(language, engine, text, shipped.prompts).pairs)["all"]
        for engine in (shipped.engine, spoiled)
    )
    assert bad["slots"] < good["slots"]
    assert bad["perplexity_ratio"] > good["perplexity_ratio"]
    with pytest.raises(BundleError, match=r"too far from torch.*clear_slots"):
        check_language(language, spoiled, text, shipped.prompts, LanguageExport())


def _with_spoiled_layer(engine: bytes) -> bytes:
    """All scales of one layer's last projection have the wrong sign."""
    model = onnx.load_from_string(engine)
    node = next(node for node in model.graph.node if "layers.1/mlp/down_proj/MatMul" in node.name)
    (scales,) = (tensor for tensor in model.graph.initializer if tensor.name == node.input[2])
    scales.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(scales), scales.name))
    return bytes(model.SerializeToString())
