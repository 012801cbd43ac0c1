"""The table that a person reads, and the pictures. Knows no answers' origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from train.evaluate.presence import Figures, evidence
from train.evaluate.splits import SHOWN
from train.evaluate.trials import Presence

_WANTED: tuple[tuple[str, str, float], ...] = (
    ("acc_present", "present and decidable: yes", 0.95),
    ("acc_absent", "absent and decidable: no", 0.95),
    ("coverage", "yes or no at all", 0.90),
    ("false_yes_lookalike", "look-alikes: false yes", 0.03),
    ("false_yes_stranger", "strangers: false yes", 0.01),
    ("overclaim", "undecidable: yes or no", 0.01),
    ("overclaim_hidden", "undecidable, somebody hidden: yes or no", 0.01),
    ("appearance", "clothes, all four slots", 0.90),
    ("action", "action", 0.90),
    ("location", "room", 0.90),
)
_BESIDE: tuple[tuple[str, str], ...] = (
    ("action_one_frame", "action from one frame held"),
    ("acc_lookalike", "look-alikes: no"),
    ("acc_stranger", "strangers: no"),
    ("acc_member", "other members: no"),
    ("acc_empty", "empty rooms: no"),
    ("unsure", "decidable, but unsure"),
    ("wrong_name", "clips with a wrong name"),
    ("fnir_at_fpir_1", "FNIR at FPIR 1 %"),
    ("fnir_at_fpir_03", "FNIR at FPIR 0.3 %"),
    ("cllr", "Cllr"),
    ("min_cllr", "minCllr"),
    ("bleu", "BLEU"),
)
_LOW_IS_GOOD = frozenset({"false_yes_lookalike", "false_yes_stranger", "overclaim", "overclaim_hidden"})


def table(line: Mapping[str, Any]) -> str:
    """Figures beside what is wanted; `oracle`: what the traits in view allow."""
    rows = [f"{'':42} {'instant':>16} {'trained':>16} {'wanted':>9} {'oracle':>8}"]
    for name, words, wanted in _WANTED:
        goal = f"{'<=' if name in _LOW_IS_GOOD else '>='} {wanted:.2f}"
        oracle = (line["instant"] or {}).get("oracle", {}).get(name)
        cells = f"{_cell(line, 'instant', name)} {_cell(line, 'trained', name)}"
        rows.append(f"{words:42} {cells} {goal:>9} {_num(oracle):>8}")
    rows += [
        f"{words:42} {_cell(line, 'instant', name)} {_cell(line, 'trained', name)}" for name, words in _BESIDE
    ]
    knn = line["crop_knn"]
    rows.append(f"{'colours of head crops, nearest neighbour':42} {_num(knn and knn['acc']):>16}")
    return "\n".join(rows)


def split_table(splits: Mapping[str, Mapping[str, Figures]]) -> str:
    """One row a part of the trials."""
    rows = [f"{'':24} {'asked':>7}" + "".join(f"{name:>22}" for name in SHOWN)]
    for split, parts in splits.items():
        for value, figures in parts.items():
            cells = "".join(f"{_num(figures[name]):>22}" for name in SHOWN)
            rows.append(f"{split + ' ' + value:24} {figures['asked'] or 0:7.0f}{cells}")
    return "\n".join(rows)


def draw(path: Path, trials: Sequence[Presence]) -> None:
    """A PNG: how often the members are there by the probability told, and misses against false alarms."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    told = [one for one in trials if one.told]
    llr, truth = evidence(told), np.asarray([one.case == "present" for one in told])
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.6))
    probability = 1 / (1 + np.exp(-llr))
    edges = np.linspace(0, 1, 11)
    weight = np.where(truth, 0.5 / max(1, truth.sum()), 0.5 / max(1, (~truth).sum()))
    for low, high in pairwise(edges):
        inside = (probability >= low) & (probability < high + (high == 1))
        if inside.any():
            there = float((weight * truth)[inside].sum() / weight[inside].sum())
            left.plot(float(np.average(probability[inside], weights=weight[inside])), there, "o", color="C0")
    left.plot([0, 1], [0, 1], "--", color="grey")
    left.set(xlabel="probability told", ylabel="share there (both cases weigh the same)", title="Reliability")
    for case in ("stranger", "lookalike"):
        others = evidence(one for one in told if one.case == case)
        if len(others) and truth.any():
            steps = np.sort(others)[::-1]
            false = np.arange(1, len(steps) + 1) / len(steps)
            missed = np.searchsorted(np.sort(llr[truth]), steps, side="right") / truth.sum()
            right.plot(false, missed, label=case)
    right.set(xscale="log", xlabel="false alarms", ylabel="misses", title="Misses against false alarms")
    right.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _cell(line: Mapping[str, Any], kind: str, name: str) -> str:
    value = (line[kind] or {}).get(name)
    width = line.get(f"{kind}_95", {}).get(name)
    return f"{_num(value) + ('' if width is None else f' ± {width:.3f}'):>16}"


def _num(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
