"""A base as it is, but for how parts of bodies are read. Knows no training of encoders.

Nothing else learns from that read-out, so a base gets a better one without the hours that a base takes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from train.base.config import BaseConfig
from train.base.part_readout import fit_parts, score_parts
from train.base.world_data import WorldData
from train.checkpoint import (
    CALIBRATION,
    EVALUATION,
    MADE_BY,
    TOKENIZER,
    fingerprint,
    load_base,
    save_base,
)


def refit_parts(checkpoint: Path, config: BaseConfig, data: WorldData, out: Path) -> dict[str, float]:
    """Write a checkpoint with the read-out fitted anew on people of `data` that are not held out.

    Args:
        checkpoint: folder of the base.
        out: folder of the new one; its sizes, tokenizer and calibration are the old one's, and so
            is what it says of itself, but for parts.

    Returns:
        what the read-out notices of people held out, see `score_parts`.

    Raises:
        BundleError: there is no checkpoint.
    """
    model, sizes = load_base(checkpoint)
    clips = config.world.training_clips
    fit_parts(model.vision, data, clips=clips, seed=config.seed)
    figures = score_parts(model.vision, data, clips, len(data.frames))
    save_base(out, model, sizes, (checkpoint / TOKENIZER).read_text(encoding="utf-8"))
    shutil.copyfile(checkpoint / CALIBRATION, out / CALIBRATION)
    _note(checkpoint, out, EVALUATION, {"vision": figures})
    _note(checkpoint, out, MADE_BY, {"refitted_from": fingerprint(checkpoint)})
    return figures


def _note(checkpoint: Path, out: Path, name: str, more: Mapping[str, object]) -> None:
    """What the old base says of itself, if it does, and more."""
    path = checkpoint / name
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    (out / name).write_text(json.dumps({**said, **more}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
