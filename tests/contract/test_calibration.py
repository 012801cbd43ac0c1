"""Claims about the way from evidence to a verdict."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.calibration import MAX_LLR, Calibration, SourceCalibration

finite = st.floats(-1e6, 1e6)
shares = st.floats(0, 1)
priors = st.floats(0.001, 0.999)


@given(st.floats(0, 100), finite, st.floats(-10, 10), shares, finite, finite)
def test_more_score_is_never_less_evidence(
    scale: float, bias: float, quality_scale: float, quality: float, low: float, high: float
) -> None:
    source = SourceCalibration(scale, bias, quality_scale)
    low, high = sorted((low, high))
    assert source.llr(low, quality) <= source.llr(high, quality)


@given(finite, finite, finite, finite, shares)
def test_one_source_never_weighs_more_than_the_cap(
    scale: float, bias: float, quality_scale: float, score: float, quality: float
) -> None:
    assert abs(SourceCalibration(scale, bias, quality_scale).llr(score, quality)) <= MAX_LLR


def test_llr_is_the_stated_formula() -> None:
    assert SourceCalibration(2.0, -0.5, 0.25).llr(1.5, 0.8) == pytest.approx(2 * 1.5 + 0.25 * 0.8 - 0.5)


@given(priors, finite, finite)
def test_more_evidence_is_never_less_probable(prior: float, low: float, high: float) -> None:
    calibration = Calibration(prior=prior)
    low, high = sorted((low, high))
    assert 0 <= calibration.probability(low) <= calibration.probability(high) <= 1


@given(priors)
def test_no_evidence_leaves_the_prior(prior: float) -> None:
    assert Calibration(prior=prior).probability(0.0) == pytest.approx(prior)


@given(priors, st.floats(-10, 10))
def test_evidence_adds_to_the_log_odds(prior: float, llr: float) -> None:
    after = Calibration(prior=prior).probability(llr)
    assert math.log(after / (1 - after)) == pytest.approx(math.log(prior / (1 - prior)) + llr, abs=1e-6)


def test_verdicts_change_exactly_at_the_thresholds() -> None:
    calibration = Calibration(accept=0.9, reject=0.1)
    above, below = math.nextafter(0.1, 1), math.nextafter(0.9, 0)
    said = [calibration.verdict(p) for p in (0.0, 0.1, above, 0.5, below, 0.9, 1.0)]
    assert said == ["no", "no", "unsure", "unsure", "unsure", "yes", "yes"]


@given(shares, shares)
def test_a_higher_probability_never_gets_a_lower_verdict(low: float, high: float) -> None:
    order = ("no", "unsure", "yes")
    low, high = sorted((low, high))
    calibration = Calibration()
    assert order.index(calibration.verdict(low)) <= order.index(calibration.verdict(high))


@pytest.mark.parametrize(
    ("prior", "accept", "reject"), [(0.0, 0.9, 0.1), (1.0, 0.9, 0.1), (0.5, 0.1, 0.9), (0.5, 1.5, 0.1)]
)
def test_thresholds_that_cannot_decide_are_refused(prior: float, accept: float, reject: float) -> None:
    with pytest.raises(ValueError, match="prior"):
        Calibration(prior=prior, accept=accept, reject=reject)
