"""Claims about parts of bodies: where they are drawn, and how they are read from the scene encoder."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from device.paths import base_bundle
from runtime.contract.pixels import PixelSpec, normalise
from train.base import part_readout
from train.base.config import BaseConfig, StageConfig, WorldConfig
from train.base.part_readout import MIN_SHARE, fit_parts, part_loss, score_parts
from train.base.refit import refit_parts
from train.base.world_data import WorldData, cell_shares, open_world, render_world
from train.checkpoint import (
    CALIBRATION,
    EVALUATION,
    MADE_BY,
    SIZES,
    TOKENIZER,
    fingerprint,
    load_base,
    read_weights,
)
from train.fit import FitConfig
from train.world.sample import sample_script
from train.world.scene import frame_truth, render_bodies
from train.world.script import Script
from train.world.traits import sample_identity

WORLD = WorldConfig(identities=40, clips_each=3, held_out=6, processes=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldData:
    folder: Path = tmp_path_factory.mktemp("parts")
    render_world(folder, WORLD, lambda done, total: None)
    return open_world(folder)


def body_pixels(script: Script) -> NDArray[np.bool_]:
    return np.asarray(render_bodies(script, [0.5])[2][0])


def script(seed: int) -> Script:
    rng = np.random.default_rng(seed)
    return sample_script(rng, people=[sample_identity(rng, "train")])


@pytest.mark.parametrize("seed", range(6))
def test_pixels_of_bodies_lie_in_the_bodies_and_an_empty_room_has_none(seed: int) -> None:
    one = script(seed)
    shown = body_pixels(one)
    x, y, w, h = frame_truth(one, 0.5)[0].body_box
    rows, columns = np.nonzero(shown)
    near = (columns > x - 0.6 * h) & (columns < x + w + 0.6 * h) & (rows > y - 0.3 * h) & (rows < y + 1.2 * h)
    assert near.all(), "a hand with a broom reaches that far"
    assert not body_pixels(replace(one, people=())).any()


def test_what_is_covered_shows_no_body() -> None:
    covered = [one for one in map(script, range(60)) if one.room.foreground]
    assert covered
    for one in covered:
        bare = replace(one, room=replace(one.room, foreground=()))
        assert not (body_pixels(one) & ~body_pixels(bare)).any()


def test_a_cells_share_is_how_much_of_it_is_set() -> None:
    shown = np.zeros((288, 384), dtype=np.bool_)
    shown[48:96, 336:360] = True
    shares = cell_shares(shown, PixelSpec()).reshape(6, 8)
    assert shares[1, 7] == 0.5 and shares.sum() == 0.5


def test_cells_that_show_a_little_teach_nothing() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    part_loss(logits, torch.tensor([[0.0, MIN_SHARE / 2, MIN_SHARE]])).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0 and logits.grad[0, 0] > 0 > logits.grad[0, 2]


def test_frames_without_anybody_hidden_hardly_ever_raise_an_alarm(
    world: WorldData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_readout, "_STEPS", 150)
    vision = load_base(base_bundle() / "checkpoint")[0].vision
    fit_parts(vision, world, clips=len(world.frames), seed=0)
    first = round(len(world.frames) * 0.85)
    found = score_parts(vision, world, first, len(world.frames))
    assert found["open_frames"] > 20 and found["open_alarmed"] <= part_readout.FALSE_ALARMS
    pictures = normalise(world.frames[:20, 0].astype(np.float32), PixelSpec())
    with torch.no_grad():
        told = vision.part(vision.tokens(torch.from_numpy(pictures)))[..., 0].numpy()
    shares = world.truth["parts"][:20, 0]
    assert told[shares >= MIN_SHARE].mean() > told[shares == 0].mean() + 2.0


def test_a_base_whose_parts_are_fitted_anew_is_the_same_in_all_else(
    world: WorldData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_readout, "_STEPS", 3)
    shipped = base_bundle() / "checkpoint"
    stage = StageConfig(FitConfig(steps=1), batch=1)
    config = BaseConfig(
        head=stage, vision=stage, body=stage, tracks=stage, bridge=stage, language=stage, world=WORLD
    )
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(shipped, old)
    (old / EVALUATION).write_text('{"head": {"eer": 0.1}, "vision": {}}')
    figures = refit_parts(old, config, world, new)
    assert figures["open_frames"] > 0
    before, after = read_weights(old), read_weights(new)
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed and all(name.startswith("vision.part.") for name in changed)
    for name in (CALIBRATION, SIZES, TOKENIZER):
        assert json.loads((new / name).read_text()) == json.loads((old / name).read_text())
    assert json.loads((new / MADE_BY).read_text()) == {"refitted_from": fingerprint(old)}
    assert json.loads((new / EVALUATION).read_text()) == {"head": {"eer": 0.1}, "vision": figures}
