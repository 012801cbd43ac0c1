"""The benchmark of the runtime runs, and says of each figure what it is; small ones here mean nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.bench_runtime.__main__ import main
from export.bench_runtime.clients import ClientFigures
from export.bench_runtime.first import CELLS, EAGER, EAGER_WATCHING, ENGINES, ENGINES_WATCHING, FirstFigures
from export.bench_runtime.stream import StreamFigures
from export.bench_runtime.swap import SwapFigures
from export.bench_runtime.table import LIMITS, Figures, line_of, table_of
from export.bench_runtime.watch import WatchFigures

NAMES = [
    "first_ms", "first_vs_eager", "engine_factor", "cache_factor", "followup_ms", "stream_ratio",
    "cameras_on_one_core", "clients_200_p99_over_p50", "ask_shell_ms",
    "swap_pause_ms", "swap_dropped",
]  # fmt: skip


def figures() -> Figures:
    first = FirstFigures(
        first_ms={EAGER: [600.0, 900.0], EAGER_WATCHING: [300.0, 300.0], ENGINES: [200.0, 100.0],
                  ENGINES_WATCHING: [100.0, 100.0]},
        followup_ms=[30.0, 50.0], presence_ms=[5.0, 5.0], described=2, same=1,
    )  # fmt: skip
    stream = StreamFigures(8, 4, [80.0, 100.0], [40.0, 20.0], [10.0, 10.0])
    clients = ClientFigures(served_ms=[float(ms) for ms in range(1, 101)], busy_ms=[2.0], answered_beyond=3)
    swaps = SwapFigures([9.0, 10.0, 60.0], [10.0, 45.0, 12.0], [10.0, 70.0], swaps=5)
    return Figures(first, stream, WatchFigures(100.0, 250.0), clients, swaps, [410.0, 390.0, 700.0])


def test_ratios_are_medians_of_the_repeats_own_ratios() -> None:
    assert line_of(figures()) == {
        "first_ms": 100.0,
        "first_vs_eager": 7.5,
        "engine_factor": 3.0,
        "cache_factor": 1.5,
        "followup_ms": 40.0,
        "stream_ratio": 0.35,
        "cameras_on_one_core": 5.0,
        "clients_200_p99_over_p50": pytest.approx(1.96, abs=0.01),
        "ask_shell_ms": 410.0,
        "swap_pause_ms": 35.0,
        "swap_dropped": 0,
    }


def test_the_table_says_of_each_wanted_figure_whether_it_is_met() -> None:
    text = table_of(figures(), "head")
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| ") and " at " in line]
    rows = {cells[1].strip(): cells[4].strip() for cells in lines}
    assert list(rows) == list(LIMITS)
    assert {name for name, verdict in rows.items() if verdict == "missed"} == {"stream_ratio"}
    assert all(cell in text for cell in CELLS)


def test_the_table_says_what_a_second_of_video_must_cost_at_least() -> None:
    text = table_of(figures(), "head")
    assert "one window of the engines, 8 frames; one more second brings 4 new ones" in text
    assert "cannot be much less than 0.5" in text


@pytest.mark.timeout(900)
def test_the_whole_benchmark_measures_real_answers_and_ends_with_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--quick", "--threads", "1", "--out", str(tmp_path)]) == 0
    said = capfd.readouterr().out.splitlines()
    line = json.loads(said[-1])
    assert list(line) == NAMES
    assert line.pop("swap_dropped") == 0
    assert all(value > 0 for value in line.values())
    kept = json.loads((tmp_path / "runtime.json").read_text(encoding="utf-8"))
    assert kept == {**line, "swap_dropped": 0}
    assert (tmp_path / "runtime.md").read_text(encoding="utf-8").splitlines()[0] == "# The runtime's speed"
    assert "0 wrong or crossed" in "\n".join(said)
