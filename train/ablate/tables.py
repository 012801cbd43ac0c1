"""Figures of runs to Markdown: means over seeds with 95 % intervals. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from train.ablate.evidence import ROWS
from train.ablate.variants import DATA_PAPER, DATA_VARIANTS, BridgeTable, LanguageTable
from train.evaluate.intervals import half_width

COLUMNS = {
    "presence": "presence, balanced accuracy",
    "cllr": "Cllr",
    "facts": "facts from rows",
    "action": "action from rows",
    "active": "active routed heads",
}
Runs = Mapping[str, Sequence[Mapping[str, float]]]


def bridge_markdown(table: BridgeTable, runs: Runs, steps: int) -> str:
    """A table of variants; `runs` holds, by label, the figures of each seed."""
    head = f"| variant | {' | '.join(COLUMNS.values())} |"
    rows = [f"## {table.title}", "", f"The paper: {table.paper}. Here: {steps} steps a run.", "", head]
    rows.append("|" + "---|" * (len(COLUMNS) + 1))
    for variant in table.variants:
        cells = [_cell([run[name] for run in runs[variant.label]]) for name in COLUMNS]
        rows.append(f"| {variant.label} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def language_markdown(table: LanguageTable, runs: Runs, steps: int, speaker_steps: int) -> str:
    """A table of ways to describe; in brackets the same on combinations that training never showed."""
    kinds = ("action", "appearance", "location")
    here = f"Here: {steps} steps a run, from one language model of {speaker_steps} steps."
    rows = [f"## {table.title}", "", f"The paper: {table.paper}. {here}", ""]
    rows += [
        f"| variant | {' | '.join(f'{kind} (new combinations)' for kind in kinds)} |",
        "|---|---|---|---|",
    ]
    for variant in table.variants:
        found = runs[variant.label]
        cells = [
            f"{_cell([run[kind] for run in found])} ({_cell([run[f'{kind}_new'] for run in found])})"
            for kind in kinds
        ]
        rows.append(f"| {variant.label} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def data_markdown(runs: Runs, people: int) -> str:
    """What trained adapters learn from; accuracy at even odds, mean of present and absent."""
    rows = [
        "## What a trained adapter learns from",
        "",
        f"The paper: {DATA_PAPER}. Here: {people} people a seed.",
        "",
    ]
    rows += ["| learned from | accuracy | present | absent | seconds |", "|---|---|---|---|---|"]
    for variant in DATA_VARIANTS:
        found = runs[variant.label]
        cells = [_cell([run[name] for run in found]) for name in ("accuracy", "present", "absent")]
        rows.append(
            f"| {variant.label} | {' | '.join(cells)} | {_mean([run['seconds'] for run in found]):.0f} |"
        )
    return "\n".join(rows) + "\n"


def evidence_markdown(tables: Sequence[Mapping[str, Mapping[str, float]]]) -> str:
    """Evidence by evidence; one table a seed of the episodes."""
    rows = [
        "## Evidence of presence",
        "",
        "| evidence | Cllr | balanced accuracy | costs more than all together |",
    ]
    rows.append("|---|---|---|---|")
    for name, words in ROWS.items():
        found = [table[name] for table in tables]
        low, high = (sum(one[key] for one in found) / len(found) for key in ("more_low", "more_high"))
        more = (
            "-"
            if name == "presence"
            else f"{_mean([one['more'] for one in found]):+.3f} ({low:+.3f} to {high:+.3f})"
        )
        cells = [_cell([one[key] for one in found]) for key in ("cllr", "balanced")]
        rows.append(f"| {words} | {' | '.join(cells)} | {more} |")
    return "\n".join(rows) + "\n"


def _cell(values: Sequence[float]) -> str:
    width = half_width(list(values))
    return f"{_mean(values):.3f}" + ("" if width is None else f" ± {width:.3f}")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
