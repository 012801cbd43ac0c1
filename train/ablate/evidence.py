"""Which evidence of presence is worth its place: each alone, and the bridge without it. Knows no training.

A piece stays if the bridge without it costs more on people held out, with the interval of the difference off
zero (bootstrap over families: a person and the look-alike are drawn together).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.ablate.bridge_run import Evidence, calibrated
from train.rates import best_accuracy, cllr

Floats = NDArray[np.float32]
_DRAWS = 1000
ROWS = {
    "frames": "no adapter: reference frames in context (rows of the base alike)",
    "description": "no adapter: description in context (clothes alike)",
    "knn": "nearest view, cosine (kNN)",
    "cosine": "track's mean against the template, cosine",
    "traits": "single traits alone",
    "without traits": "bridge without single traits",
    "presence": "bridge, all of it",
}


def evidence_scores(evidence: Evidence) -> dict[str, Floats]:
    """Scores (N,) by name of `ROWS`."""
    scores = {
        name: evidence[name] for name in ("frames", "description", "knn", "cosine", "traits", "presence")
    }
    scores["without traits"] = evidence["presence"] - evidence["traits"]
    return scores


def evidence_table(evidence: Evidence, seed: int) -> dict[str, dict[str, float]]:
    """By row: `cllr`, `balanced` accuracy at the best threshold, and what it costs more than all together.

    `more` is the difference of Cllr from the whole bridge, `more_low` and `more_high` its 95 % interval.
    """
    present, family = evidence["present"] > 0, evidence["family"].astype(np.int64)
    fitting = family % 2 == 0
    held = ~fitting
    scores = evidence_scores(evidence)
    llr = {name: calibrated(score, present, fitting)[held] for name, score in scores.items()}
    truth, drawn = present[held], family[held]
    table = {}
    for name, values in llr.items():
        low, high = _interval(values, llr["presence"], truth, drawn, seed)
        cost, whole = _cost(values, truth), _cost(llr["presence"], truth)
        table[name] = {
            "cllr": cost,
            "balanced": best_accuracy(values, truth),
            "more": cost - whole,
            "more_low": low,
            "more_high": high,
        }
    return table


def _cost(llr: Floats, present: NDArray[np.bool_]) -> float:
    return cllr(llr[present], llr[~present])


def _interval(
    one: Floats, other: Floats, present: NDArray[np.bool_], family: NDArray[np.int64], seed: int
) -> tuple[float, float]:
    """95 % of the difference of two costs over resampled families."""
    rng = np.random.default_rng((seed, 34))
    numbers = np.unique(family)
    rows = {number: np.flatnonzero(family == number) for number in numbers}
    differences = []
    for _ in range(_DRAWS):
        picked = np.concatenate([rows[number] for number in rng.choice(numbers, size=len(numbers))])
        if present[picked].any() and not present[picked].all():
            differences.append(_cost(one[picked], present[picked]) - _cost(other[picked], present[picked]))
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)
