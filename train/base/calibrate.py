"""Stage E: from presence scores to log-likelihood ratios, on people no stage has seen. Knows no training.

Half of the held-out people fit a logistic calibration (Platt, 1999), half measure it. One window is
calibrated first; then how far the errors of a clip's windows correlate, so that a clip is judged as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from runtime.contract.calibration import Calibration, SourceCalibration
from train.base.held_out import Trial
from train.rates import best_accuracy, cllr

ACCEPT, REJECT, PRIOR = 0.9, 0.1, 0.5
MIN_QUALITY, BLIND_BELOW = 0.2, 0.07
"""Qualities below which nobody is recognised, and below which a view tells nothing at all (ADR 0033)."""
_DRAWN_ACCEPT, _DRAWN_MIN_QUALITY = 0.95, 0.25
"""What is asked of evidence from drawn heads; faces of ordinary footage keep the others (ADR 0053)."""
_CASE_SHARES = {"present": 0.5, "lookalike": 0.05, "stranger": 0.45}
"""The stated prior: somebody is there as likely as not; one in ten who is not is a look-alike (ADR 0020)."""
_FIRST_SLIP = -4.0
"""Where the fit begins: the logit of 0.018."""
_CORRELATIONS = np.linspace(0.0, 1.0, 101)


def calibrate(trials: Sequence[Trial]) -> tuple[Calibration, dict[str, float]]:
    """Fit on even families, measure on odd ones (a person and the look-alike are one family)."""
    fitting = [t for t in trials if (t.who // 2) % 2 == 0]
    held = [t for t in trials if (t.who // 2) % 2 == 1]
    source = fit_source(
        fitting, f"{len(fitting)} cross-clip trials of {len({t.who for t in fitting})} rendered people"
    )
    limit = float(np.quantile([t.distance for t in trials], 0.999)) * 2.0
    calibration = Calibration(
        sources={"bridge": source}, prior=PRIOR, accept=ACCEPT, reject=REJECT, min_quality=MIN_QUALITY,
        correlation=fit_correlation(fitting, source), domain_limit=round(limit, 3),
    )  # fmt: skip
    return calibration, measure(held, calibration)


def fit_source(trials: Sequence[Trial], provenance: str) -> SourceCalibration:
    """Logistic regression of presence on one window's score and quality, on trials that can be told.

    Present weighs as much as absent; of the absent, look-alikes weigh less: they are rarer than strangers.
    The windows of a trial share its weight. A share of trials, fitted too, is taken to be about something
    else: without it a few of them would say how far all scores are to be trusted.
    """
    told = [trial for trial in trials if trial.told and trial.looks]
    weights = [weight / len(t.looks) for t, weight in zip(told, _weights(told), strict=True) for _ in t.looks]
    x = torch.tensor([[look.score, look.quality, 1.0] for t in told for look in t.looks])
    y = torch.tensor([float(t.case == "present") for t in told for _ in t.looks])
    weight = torch.tensor(weights)
    theta = torch.tensor([1.0, 0.0, 0.0, _FIRST_SLIP], requires_grad=True)
    optimiser = torch.optim.LBFGS([theta], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        straight, slipped = F.logsigmoid(-theta[3]), F.logsigmoid(theta[3])
        value = x @ theta[:3]
        llr = torch.logaddexp(straight + value, slipped) - torch.logaddexp(straight, slipped + value)
        each = F.binary_cross_entropy_with_logits(llr, y, reduction="none")
        loss = (weight * each).sum() + 1e-4 * theta[:2].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    scale, quality_scale, bias = (float(value) for value in theta.detach()[:3])
    return SourceCalibration(
        round(scale, 4),
        round(bias, 4),
        round(quality_scale, 4),
        provenance,
        nobody=_overlooked(trials),
        blind_below=BLIND_BELOW,
        slip=round(float(torch.sigmoid(theta.detach()[3])), 4),
        accept=_DRAWN_ACCEPT,
        min_quality=_DRAWN_MIN_QUALITY,
    )


def _overlooked(trials: Sequence[Trial]) -> float:
    """ln of the share of those who are there, and could be told, in whose clip nobody is found.

    Half a case is added (Jeffreys), so that none seen is not never. In an empty room nobody is found, so this
    is the evidence of finding nobody.
    """
    present = [trial for trial in trials if trial.told and trial.case == "present"]
    missed = sum(not trial.looks for trial in present)
    return round(float(np.log((missed + 0.5) / (len(present) + 1))), 4)


def fit_correlation(trials: Sequence[Trial], source: SourceCalibration) -> float:
    """The correlation of windows under which pooled evidence tells present from absent best (log loss)."""
    told = [trial for trial in trials if trial.told and trial.looks]
    weight, sign = _weights(told), np.asarray([1.0 if t.case == "present" else -1.0 for t in told])
    losses = []
    for correlation in _CORRELATIONS:
        rules = Calibration(sources={"bridge": source}, prior=PRIOR, correlation=float(correlation))
        losses.append(float((weight * np.logaddexp(0.0, -sign * evidence(told, rules))).sum()))
    return round(float(_CORRELATIONS[int(np.argmin(losses))]), 2)


def evidence(trials: Sequence[Trial], calibration: Calibration) -> NDArray[np.float64]:
    """(N,): each trial's log-likelihood ratio over all its windows, as the box pools them."""
    source = calibration.sources["bridge"]
    return np.asarray(
        [
            calibration.pool(
                [source.llr(look.score, look.quality) for look in trial.looks],
                [look.quality for look in trial.looks],
            )
            if trial.looks
            else source.nobody
            for trial in trials
        ]
    )


def _weights(trials: Sequence[Trial]) -> NDArray[np.float64]:
    """(N,): every case has its share, divided evenly among its trials."""
    counts = {case: max(1, sum(t.case == case for t in trials)) for case in _CASE_SHARES}
    return np.asarray([_CASE_SHARES[t.case] / counts[t.case] for t in trials])


def measure(trials: Sequence[Trial], calibration: Calibration) -> dict[str, float]:
    """Rates of decidable trials, Cllr, and the plain cosine at its best threshold beside it."""
    llr = evidence(trials, calibration)
    cosine = np.asarray([t.cosine for t in trials])
    present = np.asarray([t.case == "present" for t in trials])
    told = np.asarray([t.told for t in trials])
    rules = calibration.judging(calibration.sources["bridge"])
    verdicts = [rules.verdict(rules.probability(value)) for value in llr]

    def rate(case: str, verdict: str) -> float:
        of_case = [said for t, said in zip(trials, verdicts, strict=True) if t.told and t.case == case]
        return round(sum(said == verdict for said in of_case) / max(1, len(of_case)), 4)

    return {
        "people": float(len({t.who for t in trials})),
        "trials": float(len(trials)),
        "decidable": float(told.sum()),
        "nobody_found": float(sum(not t.looks for t in trials)),
        "windows_each": round(float(np.mean([len(t.looks) for t in trials])), 2),
        "present_yes": rate("present", "yes"),
        "present_unsure": rate("present", "unsure"),
        "lookalike_yes": rate("lookalike", "yes"),
        "lookalike_unsure": rate("lookalike", "unsure"),
        "stranger_yes": rate("stranger", "yes"),
        "stranger_unsure": rate("stranger", "unsure"),
        "cllr": round(cllr(llr[present], llr[~present]), 4),
        "cllr_decidable": round(cllr(llr[present & told], llr[~present & told]), 4),
        "balanced_accuracy": round(best_accuracy(llr, present), 4),
        "balanced_accuracy_cosine": round(best_accuracy(cosine, present), 4),
    }
