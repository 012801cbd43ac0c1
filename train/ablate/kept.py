"""Figures of runs on disk, so that a second call goes on where the first one stopped. Knows no training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from train.ablate.variants import BridgeVariant, LanguageVariant
from train.progress import bar

Figures = TypeVar("Figures", bound=dict[str, Any])
Report = Callable[[int, int], None]
"""What a run tells of itself: steps done, steps in all."""


def run_path(
    folder: Path, variant: BridgeVariant | LanguageVariant, start: Path, seed: int, steps: str
) -> Path:
    """Where a run's figures are kept: by what varies, the weights it starts from, seed and steps."""
    what = hashlib.sha256(repr(replace(variant, label="")).encode()).hexdigest()[:12]
    ground = hashlib.sha256(start.read_bytes()).hexdigest()[:12]
    return folder / f"{type(variant).__name__}-{what}-{ground}-seed{seed}-{steps}.json"


def once(path: Path, label: str, run: Callable[[Report], Figures]) -> Figures:
    """The figures of a run: those kept from an earlier call, or new ones. The same run serves two tables."""
    if not path.exists():
        path.write_text(json.dumps(run(bar(label))) + "\n", encoding="utf-8")
    kept: Figures = json.loads(path.read_text(encoding="utf-8"))
    return kept
