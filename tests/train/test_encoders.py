"""Claims about encoders that one base takes from another, and about what is read off covered heads."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from runtime.contract.errors import BundleError
from train.base.config import BaseConfig, StageConfig, WorldConfig
from train.base.cover_readout import fit_uncovered, score_uncovered
from train.base.encoders import begin, read_source, start_from, take_encoders
from train.base.run import with_encoders
from train.base.world_data import WorldData, open_world, render_world
from train.checkpoint import WEIGHTS, save_base
from train.fit import FitConfig
from train.model.body import BodyConfig
from train.model.head import HeadConfig, HeadEncoder
from train.model.pvchat import ModelConfig, PVChat, build_model

STAGE = StageConfig(FitConfig(steps=1), batch=1)
CONFIG = BaseConfig(head=STAGE, vision=STAGE, body=STAGE, tracks=STAGE, bridge=STAGE, language=STAGE)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PVChat]:
    torch.manual_seed(3)
    folder, model = tmp_path_factory.mktemp("older"), build_model(ModelConfig())
    save_base(folder, model, ModelConfig(), "{}")
    return folder, model


def test_a_base_with_taken_encoders_has_them_and_says_whose_they_are(
    older: tuple[Path, PVChat], tmp_path: Path
) -> None:
    folder, model = older
    take_encoders(folder, CONFIG.model, tmp_path)
    taken = with_encoders(CONFIG, tmp_path)
    for part in ("head", "vision", "body"):
        theirs = model.get_submodule(part).state_dict()
        for name, tensor in taken.get_submodule(part).state_dict().items():
            assert torch.equal(tensor.float(), theirs[name].float()), f"{part}.{name}"
    assert not torch.equal(taken.bridge.base_queries, model.bridge.base_queries)
    sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    assert read_source(tmp_path) == {"encoders_from": sha256, "taken": "head, vision, body"}
    assert read_source(tmp_path / "elsewhere") == {}


def test_some_encoders_are_taken_and_the_others_left_to_their_stages(
    older: tuple[Path, PVChat], tmp_path: Path
) -> None:
    take_encoders(older[0], CONFIG.model, tmp_path, ["vision", "body"])
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {"vision.safetensors", "body.safetensors", "encoders_from.json"}
    assert read_source(tmp_path)["taken"] == "vision, body"


def test_an_encoder_that_is_trained_on_begins_as_that_of_the_named_base(
    older: tuple[Path, PVChat], tmp_path: Path
) -> None:
    folder, model = older
    start_from(folder, CONFIG.model, tmp_path)
    fresh = build_model(ModelConfig())
    begin(fresh.head, tmp_path, "head")
    wanted = {
        name: t.half().float() if t.is_floating_point() else t for name, t in model.head.state_dict().items()
    }
    assert all(torch.equal(t, wanted[name]) for name, t in fresh.head.state_dict().items())
    before = {name: t.clone() for name, t in fresh.body.state_dict().items()}
    begin(fresh.body, tmp_path / "elsewhere", "body")
    assert all(torch.equal(t, before[name]) for name, t in fresh.body.state_dict().items())
    assert set(read_source(tmp_path)) == {"started_from"}


def test_an_older_head_encoder_without_read_outs_is_taken_and_one_without_weights_is_not(
    older: tuple[Path, PVChat], tmp_path: Path
) -> None:
    weights = load_file(older[0] / WEIGHTS)
    for name, dropped in (("older", "head.uncovered."), ("damaged", "head.embed.")):
        (tmp_path / name).mkdir()
        save_file({n: t for n, t in weights.items() if not n.startswith(dropped)}, tmp_path / name / WEIGHTS)
    take_encoders(tmp_path / "older", CONFIG.model, tmp_path / "work")
    with pytest.raises(BundleError, match="head encoder"):
        take_encoders(tmp_path / "damaged", CONFIG.model, tmp_path / "work")


def test_encoders_of_other_sizes_are_refused(older: tuple[Path, PVChat], tmp_path: Path) -> None:
    wider = replace(CONFIG.model, body=replace(BodyConfig(), signs=BodyConfig().signs + 1))
    with pytest.raises(BundleError, match="body encoder"):
        take_encoders(older[0], wider, tmp_path)
    with pytest.raises(BundleError, match="no base checkpoint"):
        take_encoders(tmp_path / "nowhere", CONFIG.model, tmp_path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldData:
    folder = tmp_path_factory.mktemp("world")
    config = WorldConfig(seed=6, identities=12, clips_each=4, held_out=3, processes=1)
    render_world(folder, config, lambda done, total: None)
    return open_world(folder)


def test_covered_heads_are_told_from_uncovered_ones_even_by_random_maps(world: WorldData) -> None:
    torch.manual_seed(0)
    head, clips = HeadEncoder(HeadConfig()), len(world.crops)
    before = score_uncovered(head, world, 0, clips)
    assert before["covered_told"] == before["uncovered_told"] == 0.0
    fit_uncovered(head, world, clips=clips, seed=0)
    figures = score_uncovered(head, world, 0, clips)
    assert figures["uncovered_eer"] < 0.1
    assert min(figures["covered_told"], figures["uncovered_told"]) > 0.8


@torch.no_grad()
def test_a_head_that_reads_as_covered_has_less_quality_and_the_same_embedding() -> None:
    torch.manual_seed(0)
    head = HeadEncoder(HeadConfig()).eval()
    crops = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 64, 64), dtype=np.float32))
    head.uncovered.bias.fill_(4.0)
    clear, good, _, _ = head(crops)
    head.uncovered.bias.fill_(-4.0)
    covered, poor, _, _ = head(crops)
    assert torch.equal(clear, covered)
    assert (poor < 0.05 * good).all()
