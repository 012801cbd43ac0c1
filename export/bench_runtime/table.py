"""Figures to the one line and to a table for docs/results. Knows no measuring."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export.bench_runtime.clients import ClientFigures
from export.bench_runtime.first import (
    CELLS,
    EAGER,
    EAGER_WATCHING,
    ENGINES,
    ENGINES_WATCHING,
    FirstFigures,
)
from export.bench_runtime.stream import StreamFigures
from export.bench_runtime.swap import SwapFigures
from export.bench_runtime.watch import CAMERA_FPS, WatchFigures
from export.markdown import table

LIMITS: Mapping[str, tuple[str, float]] = {
    "first_ms": ("at most", 150.0),
    "first_vs_eager": ("at least", 5.0),
    "followup_ms": ("at most", 40.0),
    "stream_ratio": ("at most", 0.25),
    "cameras_on_one_core": ("at least", 4.0),
    "clients_200_p99_over_p50": ("at most", 5.0),
    "ask_shell_ms": ("at most", 500.0),
    "swap_pause_ms": ("at most", 100.0),
    "swap_dropped": ("at most", 0.0),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured; `ask_shell_ms` holds milliseconds of every question."""

    first: FirstFigures
    stream: StreamFigures
    watch: WatchFigures
    clients: ClientFigures
    swaps: SwapFigures
    ask_shell_ms: Sequence[float]


def line_of(figures: Figures) -> dict[str, float]:
    """The one line: medians, and medians of ratios."""
    first = figures.first
    return {
        "first_ms": _median(first.first_ms[ENGINES_WATCHING]),
        "first_vs_eager": round(first.ratio(EAGER, ENGINES_WATCHING), 2),
        "engine_factor": round(first.ratio(EAGER_WATCHING, ENGINES_WATCHING), 2),
        "cache_factor": round(first.ratio(ENGINES, ENGINES_WATCHING), 2),
        "followup_ms": _median(first.followup_ms),
        "stream_ratio": round(figures.stream.second_ratio(), 3),
        "cameras_on_one_core": round(figures.watch.cameras, 1),
        "clients_200_p99_over_p50": round(figures.clients.p99_over_p50(), 2),
        "ask_shell_ms": _median(figures.ask_shell_ms),
        "swap_pause_ms": round(figures.swaps.pause_ms(), 1),
        "swap_dropped": figures.swaps.dropped,
    }


def table_of(figures: Figures, head: str) -> str:
    """Markdown. `head`: what was run, and where."""
    line, first = line_of(figures), figures.first
    rows = [
        (name, f"{line[name]:g}", f"{word} {limit:g}", _met(line[name], word, limit))
        for name, (word, limit) in LIMITS.items()
    ]
    cells = [
        (cell, f"{_median(first.first_ms[cell]):g}", f"{first.ratio(cell, ENGINES_WATCHING):.2f}")
        for cell in CELLS
    ]
    return "\n".join(
        [
            "# The runtime's speed",
            "",
            head,
            "",
            *table(("figure", "measured", "wanted", ""), rows),
            "",
            f"The first question about a live window, median of {len(first.followup_ms)}:",
            "",
            *table(("", "ms", "times as long as the last row"), cells),
            "",
            *_notes(figures),
            "",
        ]
    )


def _notes(figures: Figures) -> list[str]:
    first, stream = figures.first, figures.stream
    watch, clients, swaps = figures.watch, figures.clients, figures.swaps
    knocked = (
        f" One more client at a full queue is told so after {_median(clients.busy_ms):g} ms, at the longest "
        f"of {len(clients.busy_ms)} times after {max(clients.busy_ms):.1f} ms."
        if clients.busy_ms
        else ""
    )
    return [
        f"- The next question on that window takes {_median(first.followup_ms):g} ms, a mere yes or no "
        f"{_median(first.presence_ms):g} ms. Of {len(first.followup_ms)} answers {first.described} were "
        f"descriptions; PyTorch and the engines said the same words in {first.same}. What is kept never "
        "changed one.",
        f"- Encoding a window takes {_median(stream.window_ms):g} ms, one more second of it "
        f"{_median(stream.second_ms):g} ms, one more frame {_median(stream.frame_ms):g} ms "
        f"({stream.frame_ratio():.3f} of the window). A live question looks at one window of the engines, "
        f"{stream.window_frames} frames; one more second brings {stream.second_frames} new ones, so "
        f"`stream_ratio` cannot be much less than {stream.least_ratio():g}, whatever is remembered.",
        f"- A look at one camera takes {watch.look_ms:.1f} ms of CPU, {watch.afresh_ms:.1f} ms with nothing "
        f"remembered: one core watches {watch.cameras:.1f} cameras at {CAMERA_FPS:g} frames a second, "
        f"{watch.cameras_afresh:.1f} with nothing remembered.",
        f"- {len(clients.served_ms)} answers to concurrent clients, {clients.refused_while_served} told "
        f"busy, {clients.wrong} wrong or crossed. Of more at once than may wait, {clients.refused_beyond} "
        f"were told busy, {clients.answered_beyond} answered.{knocked}",
        f"- Asked again and again, one client waits {_median(swaps.calm_ms):g} ms, at the longest of "
        f"{len(swaps.calm_ms)} times {max(swaps.calm_ms):.1f} ms. While people are added, replaced, paused "
        f"and forgotten ({swaps.swaps} times) the longest of {len(swaps.swapping_ms)} waits is "
        f"{max(swaps.swapping_ms):.1f} ms, {swaps.dropped} without the right answer. `swap_pause_ms` is that "
        "wait less the usual one. While somebody is learned from a clip the longest of "
        f"{len(swaps.learning_ms)} waits is {max(swaps.learning_ms):.1f} ms.",
    ]


def _met(value: float, word: str, limit: float) -> str:
    return "met" if (value <= limit if word == "at most" else value >= limit) else "missed"


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)
