"""From evidence to a probability and a verdict. Knows no engines; the numbers travel in the bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from runtime.contract.dialogue import Verdict
from runtime.contract.prompt import MAX_SUBJECTS

MAX_LLR = 12.0
_LEAST_WEIGHT = 0.02
_MAX_EXPONENT = 60.0


@dataclass(frozen=True, slots=True)
class SourceCalibration:
    """Logistic calibration of one kind of evidence, in which some judgements are about something else.

    x = scale * score + quality_scale * quality + bias,
    llr = ln( ((1 - slip) e^x + slip) / ((1 - slip) + slip e^x) ), natural logarithm, |llr| <= 12: a label
    that is wrong with probability `slip` (Copas 1988). However far a score goes, it proves at most
    ln((1 - slip) / slip).

    Attributes:
        scale, bias, quality_scale: fitted on cross-session identities (Platt 1999).
        slip: 0 to below 0.5; share of judgements that have nothing to do with the score, such as of a track
            that is two people. 0: none.
        provenance: what it was fitted on, in words and counts.
        nobody: evidence where nobody is found in view: ln of the share of those who are there, and could be
            told, whom detection overlooks; 1 in 20 where it was not measured.
        blind_below: quality (0..1) below which a view tells nothing, not even who somebody is not; None: the
            calibration's `min_quality`.
        accept, min_quality: of this evidence, where they are not the calibration's; None: they are.
    """

    scale: float
    bias: float
    quality_scale: float = 0.0
    provenance: str = ""
    nobody: float = -3.0
    blind_below: float | None = None
    slip: float = 0.0
    accept: float | None = None
    min_quality: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.slip < 0.5:
            raise ValueError(f"0 <= slip < 0.5 is needed, got {self.slip}")

    def llr(self, score: float, quality: float) -> float:
        """Log-likelihood ratio of `present` against `absent` for a raw score and a quality in 0..1."""
        value = self.scale * score + self.quality_scale * quality + self.bias
        if self.slip:
            odds = math.exp(max(-_MAX_EXPONENT, min(_MAX_EXPONENT, value)))
            value = math.log(((1 - self.slip) * odds + self.slip) / ((1 - self.slip) + self.slip * odds))
        return max(-MAX_LLR, min(MAX_LLR, value))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence decides.

    Attributes:
        sources: by evidence name: `bridge` (presence head), `face` (real footage).
        prior: probability of presence before looking.
        accept, reject: `yes` at or above accept, `no` at or below reject, `unsure` between.
        min_quality: nobody is recognised by a view below this quality (0..1).
        correlation: of the errors of two windows of one clip, 0..1; see `pool`.
        domain_limit: largest distance of pooled scene tokens that still counts as the trained domain.
        domain_sure: distance up to which a scene is of that domain without a second look: three quarters of
            its own scenes are. Between the two, a real face makes it ordinary footage.
        descriptions: by kind of question, how sure of its words (0..1) the language model must be to be
            heard; a kind that is not here is never described.
        described_with: how many enrolled subjects a prompt for a description holds at most, present or not,
            the one asked about among them; 1..8.
    """

    sources: Mapping[str, SourceCalibration] = field(default_factory=dict)
    prior: float = 0.5
    accept: float = 0.9
    reject: float = 0.1
    min_quality: float = 0.25
    correlation: float = 1.0
    domain_limit: float = math.inf
    domain_sure: float = 0.0
    descriptions: Mapping[str, float] = field(default_factory=dict)
    described_with: int = 1

    def __post_init__(self) -> None:
        wanted = [one.accept for one in self.sources.values() if one.accept is not None]
        for accept in (self.accept, *wanted):
            if not (0 < self.prior < 1 and 0 <= self.reject < accept <= 1):
                raise ValueError(
                    f"0 < prior < 1 and 0 <= reject < accept <= 1 are needed, got prior {self.prior}, "
                    f"reject {self.reject}, accept {accept}"
                )
        if not 0 <= self.correlation <= 1:
            raise ValueError(f"0 <= correlation <= 1 is needed, got {self.correlation}")
        if not 1 <= self.described_with <= MAX_SUBJECTS:
            raise ValueError(f"1 <= described_with <= {MAX_SUBJECTS} is needed, got {self.described_with}")

    def pool(self, llrs: Sequence[float], qualities: Sequence[float]) -> float:
        """Log-likelihood ratio of several windows of one clip about one person.

        Windows share light, clothes and view, so they do not add up: n equally good windows whose errors
        correlate by r count as n / (1 + (n - 1) r) times their mean (equicorrelated normal scores). Clearer
        windows weigh more; n is then Kish's effective number, (sum of weights)^2 / sum of squares (1965).

        Args:
            llrs: natural logarithms, one or more. qualities: of the view that each rests on, 0..1.
        """
        weights = [_LEAST_WEIGHT + quality for quality in qualities]
        mean = sum(weight * llr for weight, llr in zip(weights, llrs, strict=True)) / sum(weights)
        count = sum(weights) ** 2 / sum(weight * weight for weight in weights)
        return max(-MAX_LLR, min(MAX_LLR, mean * (count / (1 + (count - 1) * self.correlation))))

    def judging(self, source: SourceCalibration) -> Calibration:
        """The rules for evidence of this kind, which may ask for more, or for less, than others do."""
        return replace(
            self,
            accept=self.accept if source.accept is None else source.accept,
            min_quality=self.min_quality if source.min_quality is None else source.min_quality,
        )

    def probability(self, llr: float) -> float:
        """Posterior probability of presence, 0..1."""
        odds = math.log(self.prior / (1 - self.prior)) + llr
        return 1 / (1 + math.exp(-max(-40.0, min(40.0, odds))))

    def verdict(self, probability: float) -> Verdict:
        """yes, unsure or no."""
        if probability >= self.accept:
            return "yes"
        return "no" if probability <= self.reject else "unsure"
