"""Claims about the benchmark: it takes turns, ratios mean what they say, a missing peer is no number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.bench import networks, report, shapes
from export.bench.__main__ import main
from export.bench.decoder import Decoded, Workers, llama_missing
from export.bench.timing import Timed, bandwidth_bytes_s, in_turns
from export.dequantise import with_accuracy
from runtime.contract.errors import UsageError

pytestmark = pytest.mark.timeout(900)


def test_contenders_run_in_turns_each_first_in_its_turn_and_warm_rounds_do_not_count() -> None:
    order: list[str] = []
    timed = in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, warm=1, repeats=3)
    assert order == ["a", "b", "b", "a"] * 2
    assert {len(one.rounds_s) for one in timed.values()} == {3}
    with pytest.raises(UsageError, match="nothing to time"):
        in_turns({}, warm=0, repeats=1)


def test_bandwidth_is_that_of_memory_and_not_of_a_cache_or_a_disk() -> None:
    assert 1e8 < bandwidth_bytes_s() < 1e13


def test_ratios_are_ours_over_theirs_and_the_other_way_round_against_eager() -> None:
    found: dict[str, Timed | str] = {
        networks.EAGER: Timed((3.0,)), networks.OURS: Timed((2.0,)), networks.COMPILED: "none",
    }  # fmt: skip
    assert report.network_ratios(found, shipped=networks.OURS) == {
        "vision_bridge_fp32_vs_eager": 1.5,
        "vision_bridge_vs_eager": 1.5,
    }
    assert report.network_ratios(found, shipped=networks.INT8)["vision_bridge_vs_eager"] is None
    routes: dict[str, Timed | str] = {
        networks.UNROUTED: Timed((2.0, 4.0, 1.0)),
        networks.ROUTED: Timed((2.1, 4.4, 1.0)),
        networks.PRUNED: Timed((1.9, 3.6, 1.0)),
    }
    assert report.router_ratios(routes) == pytest.approx({"router_overhead": 1.05, "router_pruned": 0.95})


def test_decoding_is_held_against_memory_the_best_peer_and_an_empty_session() -> None:
    found = {
        "empty": Decoded(peak_bytes=100),
        "ours": Decoded(0.1, 0.02, 380),
        "genai": Decoded(0.1, 0.016, 400),
        "eager": Decoded(0.1, 0.2, 900),
        "llama": Decoded(why="not installed"),
    }
    ratios = report.decoder_ratios(found, weight_bytes=200, bytes_s=20_000.0, ours="ours")
    assert ratios == pytest.approx(
        {"decode_vs_bandwidth": 2.0, "decode_vs_best_peer": 1.25, "peak_memory_ratio": 1.4}
    )
    alone = {name: found[name] for name in ("empty", "ours", "llama")}
    assert (
        report.decoder_ratios(alone, weight_bytes=1, bytes_s=1.0, ours="ours")["decode_vs_best_peer"] is None
    )


def test_a_missed_target_is_shown_as_missed_and_an_unmeasured_one_as_unmeasured() -> None:
    rows = "\n".join(report.target_table({"router_overhead": 1.2, "router_pruned": 0.9}))
    assert "| `router_overhead` | 1.20 | <= 1.03 | MISSED |" in rows
    assert "| `router_pruned` | 0.90 | <= 1 | met |" in rows
    assert "| `decode_vs_bandwidth` | - | <= 1.3 | not measured |" in rows


def test_a_contender_that_did_not_run_stands_in_the_table_with_its_reason() -> None:
    rows = report.table("x", {"a": Timed((0.002,)), "b": "not here: no compiler"}, "a")
    assert "| a | 2.00 | 1.00 |" in rows and "| b | not here: no compiler | |" in rows
    everyone = dict.fromkeys(("ours", "ours32", "genai", "eager", "compile"), Decoded(0.1, 0.05, 2**20))
    lines = report.decoder_table("x", {**everyone, "llama": Decoded(why="not installed")}, limit_s=0.025)
    assert "| llama.cpp, Q4_0 | not installed | | | |" in lines
    assert any("| 100 | 20.0 | 2.00 | 1 |" in line for line in lines)


def test_without_llama_cpp_the_table_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "llama_cpp" else name)
    assert llama_missing() == {"llama": "not installed: llama_cpp"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert llama_missing() == {}


def test_sizes_are_those_of_the_models_that_they_stand_for() -> None:
    assert 0.45e9 < shapes.parameters(shapes.DECODER) < 0.6e9
    bridge = shapes.REAL.bridge
    assert (bridge.dim, bridge.layers, bridge.heads, bridge.ffn) == (768, 12, 12, 3072)
    assert bridge.queries * (1 + shapes.SUBJECTS) == 112
    assert (shapes.REAL.vision.dim, shapes.REAL.vision.depth, shapes.REAL.vision.grid) == (768, 12, (14, 14))


def test_only_the_products_change_their_accuracy() -> None:
    nodes = [
        helper.make_node("MatMulNBits", ["x"], ["y"], accuracy_level=1),
        helper.make_node("Identity", ["y"], ["z"], accuracy_level=1),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "z")]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:]))
    changed = onnx.load_from_string(with_accuracy(model, 4))
    assert [node.attribute[0].i for node in changed.graph.node] == [4, 1]
    assert [node.attribute[0].i for node in model.graph.node] == [1, 1]


def test_a_worker_that_cannot_start_is_a_reason_and_not_a_crash(tmp_path: Path) -> None:
    with Workers(tmp_path, 1, 1, 1) as workers:
        why = workers.start("empty")
    assert "empty.json" in why["empty"]


def test_the_whole_benchmark_runs_at_tiny_sizes_and_ends_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    words = ["--quick", "--threads", "1", "--out", str(results), "--scratch", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().out
    line = json.loads(said.splitlines()[-1])
    assert line == json.loads((results / "bench.json").read_text())
    assert said.startswith((results / "bench.md").read_text())
    assert set(report.TARGETS) <= set(line) and line["machine"]["threads"] == 1
    measured = {name: line[name] for name in report.TARGETS}
    assert all(value is not None and np.isfinite(value) and value > 0 for value in measured.values()), (
        measured
    )
    decoder = line["details"]["decoder"]
    assert {kind for kind in decoder if isinstance(decoder[kind], dict) and decoder[kind]["why"]} <= {
        "llama", "compile",
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
