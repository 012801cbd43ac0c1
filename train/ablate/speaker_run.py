"""The language model that every way to describe starts from, as the paper's start from Mistral.

It is trained once, on the Q-Former's rows, and never sees a held-out combination either. What carries a clip
into it is thrown away: each variant learns that anew. Knows no tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from train.ablate.bridge_run import Ground
from train.ablate.language_run import Describer, train_describer
from train.ablate.variants import LanguageVariant
from train.fit import read_step

_SEED = 0


def train_speaker(
    ground: Ground, bridge: Path, path: Path, steps: int, report: Callable[[int, int], None]
) -> None:
    """Train it to `path`, or go on where an earlier call stopped; nothing is left to do after `steps`."""
    if read_step(path) < steps:
        describer = Describer(ground, LanguageVariant("rows"), bridge, _SEED)
        train_describer(describer, steps, report, path)
