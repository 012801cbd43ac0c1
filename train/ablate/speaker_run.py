"""The language model that every way to describe starts from, as the paper's start from Mistral.

It is trained once, on the Q-Former's rows, and never sees a held-out combination either. What carries a clip
into it is thrown away: each variant learns that anew. Knows no tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from train.ablate.bridge_run import Ground
from train.ablate.language_run import Describer
from train.ablate.variants import LanguageVariant
from train.fit import FitConfig, fit, read_step

_SEED = 0


def train_speaker(
    ground: Ground, bridge: Path, path: Path, steps: int, report: Callable[[int, int], None]
) -> None:
    """Train it to `path`, or go on where an earlier call stopped; nothing is left to do after `steps`."""
    if read_step(path) >= steps:
        return
    describer = Describer(ground, LanguageVariant("rows"), bridge, _SEED).train()
    settings = FitConfig(steps=steps, learning_rate=1.5e-3, warmup_steps=50)
    fit(
        describer, [(describer, 1.0)], describer.loss, settings, checkpoint=path,
        metrics=path.with_suffix(".jsonl"), progress=lambda step, _means, _seconds: report(step, steps),
    )  # fmt: skip
