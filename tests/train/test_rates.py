"""Claims about rates and costs of scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.rates import cllr, min_cllr, missed_at_false

Floats = NDArray[np.float64]
SCORES = st.lists(st.floats(-8, 8), min_size=2, max_size=40).map(np.asarray)


def test_no_information_costs_one_bit() -> None:
    assert cllr(np.zeros(5), np.zeros(7)) == pytest.approx(1.0)
    assert min_cllr(np.zeros(5), np.zeros(7)) == pytest.approx(1.0)


def test_sure_and_right_costs_nothing_and_sure_and_wrong_costs_much() -> None:
    right, wrong = np.full(4, 12.0), np.full(4, -12.0)
    assert cllr(right, wrong) < 1e-4
    assert cllr(wrong, right) > 10
    assert min_cllr(right, wrong) < 1e-6


@given(SCORES, SCORES)
def test_best_calibration_never_costs_more_than_the_scores_or_than_knowing_nothing(
    same: Floats, different: Floats
) -> None:
    least = min_cllr(same, different)
    assert -1e-9 <= least <= min(1.0, cllr(same, different)) + 1e-9


@given(SCORES, SCORES, st.floats(0.2, 5), st.floats(-3, 3))
def test_best_calibration_sees_only_the_order(
    same: Floats, different: Floats, scale: float, shift: float
) -> None:
    same, different = same.round(3), different.round(3)
    moved = min_cllr(same * scale + shift, different * scale + shift)
    assert moved == pytest.approx(min_cllr(same, different), abs=1e-9)


def test_misses_are_counted_at_the_threshold_that_the_allowed_share_of_others_reaches() -> None:
    others = np.arange(100.0)
    assert missed_at_false(np.array([97.0, 98.5, 99.0, 120.0]), others, 0.01) == pytest.approx(0.25)
    assert missed_at_false(np.array([50.0]), others, 0.6) == 0.0


def test_rate_that_too_few_others_cannot_resolve_is_not_told() -> None:
    assert missed_at_false(np.array([1.0]), np.arange(99.0), 0.01) is None
