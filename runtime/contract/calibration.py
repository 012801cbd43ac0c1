"""From evidence to a probability and a verdict. Knows no engines; the numbers travel in the bundle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.contract.dialogue import Verdict

MAX_LLR = 12.0


@dataclass(frozen=True, slots=True)
class SourceCalibration:
    """Logistic calibration of one kind of evidence.

    llr = clip(scale * score + quality_scale * quality + bias), natural logarithm, |llr| <= 12.

    Attributes:
        scale, bias, quality_scale: fitted on cross-session identities (Platt 1999).
        provenance: what it was fitted on, in words and counts.
    """

    scale: float
    bias: float
    quality_scale: float = 0.0
    provenance: str = ""

    def llr(self, score: float, quality: float) -> float:
        """Log-likelihood ratio of `present` against `absent` for a raw score and a quality in 0..1."""
        value = self.scale * score + self.quality_scale * quality + self.bias
        return max(-MAX_LLR, min(MAX_LLR, value))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence decides.

    Attributes:
        sources: by evidence name: `bridge` (presence head), `face` (real footage).
        prior: probability of presence before looking.
        accept, reject: `yes` at or above accept, `no` at or below reject, `unsure` between.
        min_quality: a person whose best view is below this quality (0..1) cannot be told.
        domain_limit: largest distance of pooled scene tokens that still counts as the trained domain.
    """

    sources: Mapping[str, SourceCalibration] = field(default_factory=dict)
    prior: float = 0.5
    accept: float = 0.9
    reject: float = 0.1
    min_quality: float = 0.25
    domain_limit: float = math.inf

    def __post_init__(self) -> None:
        if not (0 < self.prior < 1 and 0 <= self.reject < self.accept <= 1):
            raise ValueError(
                f"0 < prior < 1 and 0 <= reject < accept <= 1 are needed, got prior {self.prior}, "
                f"reject {self.reject}, accept {self.accept}"
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
