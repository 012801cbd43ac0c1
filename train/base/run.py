"""The stages of the base, one function each, in order. Knows no command line.

Work folder: world/, heads/ (rendered sets) · head.safetensors, vision.safetensors, body.safetensors,
bridge.safetensors, language.safetensors (stage checkpoints) · head_encoder.safetensors, domain.safetensors,
calibration.json · features/ · checkpoint/ (the base) · metrics/*.jsonl.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from runtime.contract.bundle import calibration_to_json
from train.base.body_stage import BodyStage, score_bodies
from train.base.bridge_stage import BridgeStage, score_episodes
from train.base.calibrate import calibrate
from train.base.config import BaseConfig
from train.base.cover_readout import fit_uncovered, score_uncovered
from train.base.encoders import HEAD_ENCODER, as_stage, begin, contiguous, read_source
from train.base.episodes import EpisodeMaker
from train.base.features import Features, cache_features, domain_statistics, typical_distance
from train.base.head_data import open_heads, render_heads
from train.base.head_stage import HeadStage, head_separation, mean_embedding
from train.base.held_out import HeldOut, run_trials
from train.base.language_stage import LanguageStage
from train.base.part_readout import fit_parts, score_parts
from train.base.pose_readout import fit_pose, score_pose
from train.base.score_answers import collect_answers, weigh_answers
from train.base.tokens import build_tokenizer
from train.base.trait_readout import fit_traits
from train.base.vision_stage import VisionStage
from train.base.world_data import WorldData, open_world, render_world
from train.checkpoint import (
    CALIBRATION,
    EVALUATION,
    MADE_BY,
    read_calibration,
    round_to_half,
    save_base,
    write_json,
)
from train.fit import FitConfig, fit
from train.model.pvchat import PVChat, build_model
from train.progress import bar, steps


def _world(config: BaseConfig, work: Path) -> WorldData:
    if not (work / "world" / "done.json").exists():
        render_world(work / "world", config.world, bar("rendering"))
    return open_world(work / "world")


def load_part(module: nn.Module, path: Path, prefix: str) -> None:
    """Load one part of a stage's checkpoint into a module."""
    tensors = load_file(path)
    start = f"model.{prefix}."
    module.load_state_dict({name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)})


def load_stage(module: nn.Module, path: Path) -> None:
    """Load a whole stage's checkpoint into its module."""
    tensors = load_file(path)
    module.load_state_dict(
        {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    )


def _trained(config: BaseConfig) -> int:
    return config.world.identities - config.world.held_out


def _render(config: BaseConfig, work: Path) -> None:
    _world(config, work)


def _head(config: BaseConfig, work: Path) -> None:
    torch.manual_seed(config.seed)
    if not (work / "heads" / "done.json").exists():
        render_heads(work / "heads", config.heads, bar("rendering heads"))
    model = build_model(config.model)
    begin(model.head, work, "head")
    stage = HeadStage(model.head, open_heads(work / "heads"), batch=config.head.batch, seed=config.seed)
    _fit(stage, [(stage, 1.0)], stage.loss, config.head.fit, work, "head")
    model.head.centre.copy_(mean_embedding(model.head.eval(), stage.data))
    save_file(contiguous(model.head), work / HEAD_ENCODER)


def _vision(config: BaseConfig, work: Path) -> None:
    torch.manual_seed(config.seed)
    data, model = _world(config, work), build_model(config.model)
    begin(model.vision, work, "vision")
    stage = VisionStage(
        model.vision, data, config.world.training_clips, batch=config.vision.batch, seed=config.seed
    )
    _fit(stage, [(stage, 1.0)], stage.loss, config.vision.fit, work, "vision")


def _body(config: BaseConfig, work: Path) -> None:
    torch.manual_seed(config.seed)
    data, model = _world(config, work), build_model(config.model)
    begin(model.body, work, "body")
    stage = BodyStage(
        model.body, data, config.world.training_clips, batch=config.body.batch, seed=config.seed
    )
    _fit(stage, [(stage, 1.0)], stage.loss, config.body.fit, work, "body")


def _readouts(config: BaseConfig, work: Path) -> None:
    """What is read from the frozen encoders' maps and tokens; and how good the encoders are."""
    model, data, clips = with_encoders(config, work), _world(config, work), config.world.training_clips
    fit_pose(model.head, data, clips=clips, seed=config.seed)
    fit_uncovered(model.head, data, clips=clips, seed=config.seed)
    save_file(contiguous(model.head), work / HEAD_ENCODER)
    figures = head_separation(model.head, data, _trained(config))
    for score in (score_pose, score_uncovered):
        figures |= score(model.head, data, clips, len(data.frames))
    _note(work, "head", figures)
    fit_parts(model.vision, data, clips=clips, seed=config.seed)
    stage = work / "vision.safetensors"
    save_file({**load_file(stage), **as_stage(model.vision)}, stage)
    _note(work, "vision", score_parts(model.vision, data, clips, len(data.frames)))
    _note(work, "body", score_bodies(model.body, data, clips, len(data.frames)))


def _bridge(config: BaseConfig, work: Path) -> None:
    torch.manual_seed(config.seed)
    model = with_encoders(config, work)
    data, features = _world(config, work), open_features(config, work, model)
    each = config.world.clips_each
    maker = EpisodeMaker(
        data, features, first=0, last=_trained(config), clips_each=each, token_only=config.token_only
    )
    fit_traits(
        model.bridge.traits, data, features, people=_trained(config), clips_each=each, seed=config.seed
    )
    stage = BridgeStage(
        model.bridge, model.enrol, maker, batch=config.bridge.batch, subjects=2, seed=config.seed
    )
    scaled: list[tuple[nn.Module, float]] = [(stage, 1.0)]
    stage.batch, maker.token_only = config.tracks.batch, 0.0
    _fit(stage, scaled, stage.token_loss, config.tracks.fit, work, "tracks")
    stage.batch, maker.token_only = config.bridge.batch, config.token_only
    _fit(stage, scaled, stage.loss, config.bridge.fit, work, "bridge", stage.routing.after_step)
    last = config.world.identities
    for name, share in (("rendered", 0.0), ("token_only", 1.0)):
        held = EpisodeMaker(
            data, features, first=_trained(config), last=last, clips_each=each, token_only=share
        )
        _note(work, f"bridge_{name}", score_episodes(stage, held, batches=12, seed=config.seed))


def _calibrate(config: BaseConfig, work: Path) -> None:
    model = with_encoders(config, work)
    for name in ("bridge", "enrol"):
        load_part(getattr(model, name), work / "bridge.safetensors", name)
    features = open_features(config, work, model)
    clips = np.arange(0, config.world.training_clips, 3)
    mean, whiten = domain_statistics(features.tokens, clips)
    save_file({"mean": mean.contiguous(), "whiten": whiten.contiguous()}, work / _DOMAIN)
    _put_domain(model, work)
    round_to_half(model)
    trials = run_trials(
        HeldOut(model, config.world), people=config.calibration_people, progress=bar("calibration")
    )
    calibration, figures = calibrate(trials)
    write_json(work / CALIBRATION, calibration_to_json(calibration))
    _note(work, "presence", figures)


def _put_domain(model: PVChat, work: Path) -> None:
    domain = load_file(work / _DOMAIN)
    model.domain_mean.copy_(domain["mean"])
    model.domain_whiten.copy_(domain["whiten"])


def _language(config: BaseConfig, work: Path) -> None:
    torch.manual_seed(config.seed)
    model = with_encoders(config, work)
    tokenizer = build_tokenizer()
    data, features = _world(config, work), open_features(config, work, model)
    maker = EpisodeMaker(
        data, features, first=0, last=_trained(config), clips_each=config.world.clips_each,
        token_only=config.token_only * 0.5,
    )  # fmt: skip
    inner = BridgeStage(model.bridge, model.enrol, maker, batch=1, subjects=1, seed=config.seed)
    stage = LanguageStage(inner, model.language, tokenizer, batch=config.language.batch, seed=config.seed)
    path = work / "language.safetensors"
    if not path.exists():
        load_stage(inner, work / "bridge.safetensors")
    scaled: list[tuple[nn.Module, float]] = [(model.language, 1.0), (inner, 1.0)]
    _fit(stage, scaled, stage.loss, config.language.fit, work, "language")


def _assemble(config: BaseConfig, work: Path) -> None:
    """The checkpoint, and how often its answers are right of people whom it recognises."""
    model, tokenizer, out = with_encoders(config, work), build_tokenizer(), work / "checkpoint"
    _load_language(model, work)
    _put_domain(model, work)
    save_base(out, model, config.model, tokenizer.to_str())
    calibration = read_calibration(work / CALIBRATION)
    source = calibration.sources["bridge"]
    rules = calibration.judging(source)
    features, each = open_features(config, work, model), config.world.clips_each
    maker = EpisodeMaker(
        _world(config, work), features, first=_trained(config), last=config.world.identities,
        clips_each=each, token_only=0.0,
    )  # fmt: skip
    inner = BridgeStage(model.bridge, model.enrol, maker, batch=1, subjects=1, seed=config.seed)
    stage = LanguageStage(inner, model.language, tokenizer, batch=1, seed=config.seed)
    held_out = np.arange(_trained(config) * each, config.world.identities * each)
    sure = round(typical_distance(model, features.tokens, held_out), 3)
    weighed = {
        subjects: weigh_answers(
            collect_answers(
                stage, maker, windows=_ANSWER_WINDOWS, seed=config.seed, subjects=subjects,
                recognised=lambda score, quality: (
                    rules.verdict(rules.probability(source.llr(score, quality))) == "yes"
                ),
            )
        )
        for subjects in sorted({1, config.described_with})
    }  # fmt: skip
    least, figures = weighed[config.described_with]
    alone = {f"{name}_alone": value for name, value in weighed[1][1].items() if config.described_with > 1}
    calibration = replace(
        calibration, descriptions=least, described_with=config.described_with, domain_sure=sure
    )
    write_json(out / CALIBRATION, calibration_to_json(calibration))
    _note(work, "language", {**alone, **figures})
    notes = {name: json.loads((work / "metrics" / f"{name}.json").read_text()) for name in _NOTED}
    write_json(out / EVALUATION, notes)
    command = "python -m train.base configs/train/tiny.toml"
    write_json(out / MADE_BY, {"command": command, "seed": config.seed, **read_source(work)})


def _load_language(model: PVChat, work: Path) -> None:
    path = work / "language.safetensors"
    load_part(model.language, path, "language")
    load_part(model.bridge, path, "bridge_stage.bridge")
    load_part(model.enrol, path, "bridge_stage.enrol")


def with_encoders(config: BaseConfig, work: Path) -> PVChat:
    """A model whose three encoders are trained."""
    model = build_model(config.model)
    model.head.load_state_dict(load_file(work / HEAD_ENCODER))
    load_part(model.vision, work / "vision.safetensors", "encoder")
    load_part(model.body, work / "body.safetensors", "encoder")
    return model.eval()


def open_features(config: BaseConfig, work: Path, model: PVChat) -> Features:
    """The rendered set through the frozen encoders, cached."""
    bars: dict[str, Callable[[int, int], None]] = {}

    def progress(label: str, done: int, total: int) -> None:
        bars.setdefault(label, bar(label))(done, total)

    return cache_features(
        work / "features", _world(config, work), model.vision, model.head, model.body, progress
    )


def _fit(
    stage: nn.Module, scaled: list[tuple[nn.Module, float]], loss: Callable[[int], dict[str, torch.Tensor]],
    settings: FitConfig, work: Path, name: str, after_step: Callable[[], None] | None = None,
) -> None:  # fmt: skip
    stage.train()
    fit(
        stage, scaled, loss, settings, checkpoint=work / f"{name}.safetensors",
        metrics=work / "metrics" / f"{name}.jsonl", progress=steps(name, settings.steps),
        after_step=after_step,
    )  # fmt: skip
    stage.eval()


def _note(work: Path, name: str, figures: dict[str, float]) -> None:
    (work / "metrics" / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")


_ANSWER_WINDOWS = 1600
_DOMAIN = "domain.safetensors"
_NOTED = ("head", "vision", "body", "bridge_rendered", "bridge_token_only", "presence", "language")
_RUN: dict[str, Callable[[BaseConfig, Path], None]] = {
    "render": _render,
    "head": _head,
    "vision": _vision,
    "body": _body,
    "readouts": _readouts,
    "bridge": _bridge,
    "calibrate": _calibrate,
    "language": _language,
    "assemble": _assemble,
}
STAGES: tuple[str, ...] = tuple(_RUN)


def run_stage(name: str, config: BaseConfig, work: Path) -> None:
    """Run one stage, resuming its checkpoint."""
    (work / "metrics").mkdir(parents=True, exist_ok=True)
    _RUN[name](config, work)
