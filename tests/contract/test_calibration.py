"""Claims about the way from evidence to a verdict."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.bundle import calibration_from_json, calibration_to_json
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


@given(st.floats(0.001, 0.49), finite, finite)
def test_more_score_is_never_less_evidence_where_judgements_slip(
    slip: float, low: float, high: float
) -> None:
    source = SourceCalibration(1.0, 0.0, slip=slip)
    low, high = sorted((low, high))
    assert source.llr(low, 0.5) <= source.llr(high, 0.5) + 1e-9  # logarithms are rounded


@given(finite, finite, finite, finite, shares)
def test_one_source_never_weighs_more_than_the_cap(
    scale: float, bias: float, quality_scale: float, score: float, quality: float
) -> None:
    assert abs(SourceCalibration(scale, bias, quality_scale).llr(score, quality)) <= MAX_LLR


def test_llr_is_the_stated_formula() -> None:
    assert SourceCalibration(2.0, -0.5, 0.25).llr(1.5, 0.8) == pytest.approx(2 * 1.5 + 0.25 * 0.8 - 0.5)


@given(st.floats(0.001, 0.49), finite)
def test_no_score_proves_more_than_judgements_slip(slip: float, score: float) -> None:
    llr = SourceCalibration(1.0, 0.0, slip=slip).llr(score, 0.5)
    assert abs(llr) <= math.log((1 - slip) / slip) + 1e-9
    assert math.copysign(1, llr) == math.copysign(1, score) or abs(llr) < 1e-9


def test_a_slip_is_a_label_that_is_wrong_so_often() -> None:
    right = math.exp(1.5) / (1 + math.exp(1.5))
    seen = 0.9 * right + 0.1 * (1 - right)
    assert SourceCalibration(1.0, 0.0, slip=0.1).llr(1.5, 0.5) == pytest.approx(math.log(seen / (1 - seen)))


@pytest.mark.parametrize("slip", [-0.01, 0.5, math.nan])
def test_a_slip_of_half_of_all_judgements_or_none_at_all_is_refused(slip: float) -> None:
    with pytest.raises(ValueError, match="slip"):
        SourceCalibration(1.0, 0.0, slip=slip)


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


llrs = st.lists(st.tuples(st.floats(-12, 12), shares), min_size=1, max_size=6)


@given(llrs, shares)
def test_windows_never_say_less_than_their_mean_and_never_more_than_their_sum(
    seen: list[tuple[float, float]], correlation: float
) -> None:
    values, qualities = [llr for llr, _ in seen], [quality for _, quality in seen]
    pooled = Calibration(correlation=correlation).pool(values, qualities)
    mean = Calibration(correlation=1.0).pool(values, qualities)
    assert abs(pooled) <= MAX_LLR
    assert min(values) - 1e-9 <= mean <= max(values) + 1e-9
    assert min(MAX_LLR, abs(mean)) - 1e-9 <= abs(pooled) <= len(seen) * abs(mean) + 1e-9


@given(st.floats(-12, 12), shares, shares)
def test_one_window_speaks_for_itself(llr: float, quality: float, correlation: float) -> None:
    assert Calibration(correlation=correlation).pool([llr], [quality]) == pytest.approx(llr)


def test_windows_that_err_on_their_own_add_up_and_equal_ones_do_not() -> None:
    assert Calibration(correlation=0.0).pool([2.0, 2.0], [0.5, 0.5]) == pytest.approx(4.0)
    assert Calibration(correlation=1.0).pool([2.0, 2.0], [0.5, 0.5]) == pytest.approx(2.0)
    assert Calibration(correlation=0.5).pool([2.0, 2.0], [0.5, 0.5]) == pytest.approx(2.0 * 2 / 1.5)


@pytest.mark.parametrize("correlation", [-0.1, 1.1, math.nan])
def test_a_correlation_outside_zero_to_one_is_refused(correlation: float) -> None:
    with pytest.raises(ValueError, match="correlation"):
        Calibration(correlation=correlation)


def test_a_calibration_of_an_older_bundle_takes_the_mean_of_windows() -> None:
    older = calibration_to_json(Calibration(correlation=0.5))
    del older["correlation"]
    assert calibration_from_json(older).correlation == 1.0


def test_how_sure_a_description_must_be_travels_with_the_bundle() -> None:
    rules = Calibration(descriptions={"action": 0.83}, correlation=0.7, described_with=3)
    assert calibration_from_json(calibration_to_json(rules)) == rules


def test_a_calibration_of_an_older_bundle_describes_nothing() -> None:
    older = calibration_to_json(Calibration(descriptions={"action": 0.83}))
    del older["descriptions"]
    assert calibration_from_json(older).descriptions == {}


def test_what_a_newer_calibration_says_beyond_is_passed_over_and_what_an_older_lacks_is_none() -> None:
    written = calibration_to_json(
        Calibration(sources={"bridge": SourceCalibration(1.0, 0.0, blind_below=0.07)})
    )
    written["sources"]["bridge"]["of_next_year"] = 1
    assert calibration_from_json(written).sources["bridge"].blind_below == 0.07
    del written["sources"]["bridge"]["blind_below"]
    assert calibration_from_json(written).sources["bridge"].blind_below is None


def test_evidence_of_one_kind_may_ask_for_more_than_others_do() -> None:
    strict, plain = SourceCalibration(1.0, 0.0, accept=0.95, min_quality=0.3), SourceCalibration(1.0, 0.0)
    rules = Calibration(sources={"bridge": strict, "face": plain}, min_quality=0.2)
    assert [rules.judging(one).verdict(0.93) for one in (strict, plain)] == ["unsure", "yes"]
    assert [rules.judging(one).min_quality for one in (strict, plain)] == [0.3, 0.2]
    assert calibration_from_json(calibration_to_json(rules)) == rules


@pytest.mark.parametrize("accept", [0.1, 1.01, math.nan])
def test_a_source_that_accepts_what_is_rejected_is_refused(accept: float) -> None:
    with pytest.raises(ValueError, match="accept"):
        Calibration(sources={"bridge": SourceCalibration(1.0, 0.0, accept=accept)})
