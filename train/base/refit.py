"""A base as it is, but for how parts of bodies are read, or how it is calibrated. Knows no training.

Nothing else learns from either, so a base gets a better one without the hours that a base takes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from runtime.contract.bundle import calibration_to_json
from train.base.calibrate import calibrate
from train.base.config import BaseConfig
from train.base.held_out import HeldOut, run_trials
from train.base.part_readout import fit_parts, score_parts
from train.base.world_data import WorldData
from train.checkpoint import (
    CALIBRATION,
    EVALUATION,
    MADE_BY,
    SIZES,
    TOKENIZER,
    WEIGHTS,
    fingerprint,
    load_base,
    read_calibration,
    save_base,
    write_json,
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


def recalibrate(
    checkpoint: Path, config: BaseConfig, out: Path, progress: Callable[[int, int], None]
) -> dict[str, float]:
    """Write the checkpoint with presence calibrated anew, on people of `config.world` that are held out.

    The weights stay as they are, and so do the base's fingerprint, everybody's adapter, and how sure the
    language model must be.

    Returns:
        the figures of `measure` in `train.base.calibrate`.

    Raises:
        BundleError: there is no checkpoint.
    """
    model, _ = load_base(checkpoint)
    trials = run_trials(HeldOut(model, config.world), people=config.calibration_people, progress=progress)
    fitted, figures = calibrate(trials)
    old = read_calibration(checkpoint / CALIBRATION)
    fitted = replace(
        fitted, descriptions=old.descriptions, described_with=old.described_with, domain_sure=old.domain_sure
    )
    out.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, SIZES, TOKENIZER):
        shutil.copyfile(checkpoint / name, out / name)
    write_json(out / CALIBRATION, calibration_to_json(fitted))
    _note(checkpoint, out, EVALUATION, {"presence": figures})
    _note(checkpoint, out, MADE_BY, {"calibrated": "python -m train.base CONFIG --recalibrate CHECKPOINT"})
    return figures


def _note(checkpoint: Path, out: Path, name: str, more: Mapping[str, object]) -> None:
    """What the old base says of itself, if it does, and more."""
    path = checkpoint / name
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_json(out / name, {**said, **more})
