"""From answers about presence to figures. Pure; knows no clips and no models.

`unsure` is a wrong answer where the truth can be seen, and the right one where it cannot.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from train.evaluate.intervals import mean_of_known
from train.evaluate.trials import Presence
from train.rates import cllr, min_cllr, missed_at_false

Figures = dict[str, float | None]
_SURE = ("yes", "no")
_MOST = 12.0


def presence_figures(trials: Sequence[Presence], events_per_camera_day: int) -> Figures:
    """The figures of a set of answers; None where nothing was asked that could tell.

    Of decidable trials: `acc` (mean of `acc_present` and `acc_absent`), `coverage` (share with a yes or no),
    `false_yes_CASE`, `unsure`, `cllr`, `min_cllr`. Of the others `overclaim`: the share with a yes or no;
    `overclaim_hidden`: of these, where somebody in view cannot be told at all. `fnir_at_fpir_1`, `_03`: how
    often a member is missed at the threshold that 1 % and 0.3 % of the strangers' clips reach.
    `wrong_name`: share of clips with people in which a member is named who is not there.
    """
    told = [one for one in trials if one.told]
    present = [one for one in told if one.case == "present"]
    absent = [one for one in told if one.case != "present"]
    open_ones = [one for one in trials if not one.told]
    sure = [one for one in told if one.verdict in _SURE]
    same, different = evidence(present), evidence(absent)
    figures: Figures = {
        "acc_present": share(present, lambda one: one.verdict == "yes"),
        "acc_absent": share(absent, lambda one: one.verdict == "no"),
        "coverage": len(sure) / len(told) if told else None,
        "unsure": share(told, lambda one: one.verdict not in _SURE),
        "overclaim": share(open_ones, lambda one: one.verdict in _SURE),
        "overclaim_hidden": share((one for one in open_ones if one.hidden), lambda one: one.verdict in _SURE),
        "wrong_name": _wrong_name(trials),
    }
    figures["acc"] = mean_of_known([figures["acc_present"], figures["acc_absent"]])
    for case in ("lookalike", "stranger", "member", "empty"):
        of_case = [one for one in absent if one.case == case]
        figures[f"acc_{case}"] = share(of_case, lambda one: one.verdict == "no")
        figures[f"false_yes_{case}"] = share(of_case, lambda one: one.verdict == "yes")
    both = len(same) > 0 and len(different) > 0
    figures["cllr"] = cllr(same, different) if both else None
    figures["min_cllr"] = min_cllr(same, different) if both else None
    figures |= _search(told)
    wrong = figures["wrong_name"]
    figures["wrong_names_per_camera_day"] = None if wrong is None else wrong * events_per_camera_day
    return figures


def oracle_figures(trials: Sequence[Presence]) -> Figures:
    """The same of the oracle's verdicts, as far as it has any: what the traits in view allow."""
    known = [one for one in trials if one.oracle]
    told = [one for one in known if one.told]
    return {
        "acc_present": share((one for one in told if one.case == "present"), lambda one: one.oracle == "yes"),
        "acc_absent": share((one for one in told if one.case != "present"), lambda one: one.oracle == "no"),
        "overclaim": share((one for one in known if not one.told), lambda one: one.oracle in _SURE),
        "overclaim_hidden": share(
            (one for one in known if not one.told and one.hidden), lambda one: one.oracle in _SURE
        ),
    }


def evidence(trials: Iterable[Presence]) -> NDArray[np.float64]:
    """(N,) log-likelihood ratios: log odds of the answers, whose prior is one half; 0 for no probability."""
    return np.asarray([_log_odds(one.probability) for one in trials], dtype=np.float64)


def _log_odds(probability: float | None) -> float:
    if probability is None:
        return 0.0
    inside = min(max(probability, 1e-9), 1 - 1e-9)
    return min(max(math.log(inside / (1 - inside)), -_MOST), _MOST)


def _search(told: Sequence[Presence]) -> Figures:
    """Who of the household is in this clip: the largest score of a clip without members is its own."""
    mated = evidence(one for one in told if one.case == "present")
    best: dict[tuple[str, str], float] = {}
    for one in told:
        if one.case == "stranger":
            key = (one.household, one.clip)
            best[key] = max(best.get(key, -_MOST), _log_odds(one.probability))
    others = np.asarray(list(best.values()), dtype=np.float64)
    return {
        "fnir_at_fpir_1": missed_at_false(mated, others, 0.01),
        "fnir_at_fpir_03": missed_at_false(mated, others, 0.003),
    }


def _wrong_name(trials: Sequence[Presence]) -> float | None:
    clips: dict[tuple[str, str], bool] = {}
    for one in trials:
        if one.case != "empty" and one.told:
            key = (one.household, one.clip)
            clips[key] = clips.get(key, False) or (one.case != "present" and one.verdict == "yes")
    return sum(clips.values()) / len(clips) if clips else None


def share(trials: Iterable[Presence], right: Callable[[Presence], bool]) -> float | None:
    """Share of trials of which this holds; None without trials."""
    values = [right(one) for one in trials]
    return sum(values) / len(values) if values else None
