"""Rates and costs of scores, in the field's own terms. Knows no network and no clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]


def best_accuracy(scores: Scores, present: NDArray[np.bool_]) -> float:
    """Largest mean of true-positive and true-negative rate over all thresholds, 0..1.

    Args:
        scores: (N,), higher where somebody is more likely there.
        present: (N,), the truth; both values must occur.
    """
    order = np.argsort(-scores)
    hits = np.cumsum(present[order]) / present.sum()
    false = np.cumsum(~present[order]) / (~present).sum()
    return float(((hits + 1 - false) / 2).max())


def cllr(same: Scores, different: Scores) -> float:
    """Cost of log-likelihood ratios in bits (Brummer and du Preez, 2006); 1 for no information."""
    cost = np.logaddexp(0, -same).mean() + np.logaddexp(0, different).mean()
    return float(cost / (2 * np.log(2)))


def min_cllr(same: Scores, different: Scores) -> float:
    """`cllr` after the best monotone calibration of these very scores (pool adjacent violators)."""
    scores = np.concatenate([same, different])
    truth = np.concatenate([np.ones(len(same)), np.zeros(len(different))])
    weight = np.where(truth > 0, 0.5 / len(same), 0.5 / len(different))
    values, group = np.unique(scores, return_inverse=True)
    mass = np.bincount(group, weights=weight, minlength=len(values)).astype(np.float64)
    share = np.bincount(group, weights=weight * truth, minlength=len(values)) / mass
    posterior = np.clip(_rising(share, mass)[group], 1e-12, 1 - 1e-12)
    cost = -(truth * np.log2(posterior) + (1 - truth) * np.log2(1 - posterior))
    return float((weight * cost).sum())


def _rising(values: Scores, weights: Scores) -> NDArray[np.float64]:
    """The nearest sequence that never falls, in weighted least squares (Barlow et al., 1972)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, mass, count = float(value), float(weight), 1
        while blocks and blocks[-1][0] >= mean:
            before, before_mass, before_count = blocks.pop()
            mean = (mean * mass + before * before_mass) / (mass + before_mass)
            mass, count = mass + before_mass, count + before_count
        blocks.append((mean, mass, count))
    return np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])


def missed_at_false(mated: Scores, others: Scores, rate: float) -> float | None:
    """Share of `mated` below the lowest threshold that at most `rate` of `others` reach (FNIR at FPIR).

    None: there are fewer than 1 / rate others, so that the rate cannot be told from zero.
    """
    if not len(mated) or len(others) * rate < 1:
        return None
    allowed = int(np.floor(len(others) * rate))
    threshold = np.sort(others)[::-1][allowed]
    return float((mated <= threshold).mean())
