"""What raw presence is worth as evidence, by the base's own calibration. Knows no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from runtime.contract.calibration import Calibration, SourceCalibration
from train.windows import EncodedWindow


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the box judges.

    Attributes:
        rules: of evidence from the bridge. source: what a score of it is worth.
    """

    rules: Calibration
    source: SourceCalibration

    def of(self, scores: Tensor, windows: Sequence[EncodedWindow]) -> Tensor:
        """Log-likelihood ratios (B,) of presence, natural logarithm, before `slip` bounds them.

        Args:
            scores: raw presence (B,) in these windows.
        """
        clearest = [max((view.quality for view in window.tokens.views), default=0.0) for window in windows]
        quality = torch.tensor(clearest, dtype=scores.dtype)
        return self.source.scale * scores + self.source.quality_scale * quality + self.source.bias

    def settled(self, llrs: Tensor, present: Tensor) -> Tensor:
        """bool (B,): where these log-likelihood ratios already give a `yes` or `no`, and the right one."""
        said = [self.rules.verdict(self.rules.probability(llr)) for llr in llrs.tolist()]
        wanted = ["yes" if there else "no" for there in present.tolist()]
        return torch.tensor([one == other for one, other in zip(said, wanted, strict=True)])


def bridge_evidence(calibration: Calibration) -> Evidence:
    """How a base that is calibrated like this judges what its bridge says."""
    source = calibration.sources["bridge"]
    return Evidence(calibration.judging(source), source)
