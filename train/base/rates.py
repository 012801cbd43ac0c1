"""Rates that several stages report. Knows no network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_accuracy(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Largest mean of true-positive and true-negative rate over all thresholds, 0..1.

    Args:
        scores: (N,), higher where somebody is more likely there.
        present: (N,), the truth; both values must occur.
    """
    order = np.argsort(-scores)
    hits = np.cumsum(present[order]) / present.sum()
    false = np.cumsum(~present[order]) / (~present).sum()
    return float(((hits + 1 - false) / 2).max())
