"""Claims about signs, the body encoder and the pose of heads, on a small rendered world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from train.base.body_stage import BodyStage, people_in, score_bodies, sign_losses, tell_bodies
from train.base.config import WorldConfig
from train.base.pose_readout import fit_pose, score_pose
from train.base.signs import BODY_SIGNS, joints_of, pose_of, shown
from train.base.world_data import WorldData, open_world, render_world
from train.model.body import BodyConfig, BodyEncoder
from train.model.bridge import BridgeConfig
from train.model.head import POSE, HeadConfig, HeadEncoder
from train.world.body import JOINTS

CONFIG = WorldConfig(seed=4, identities=8, clips_each=3, held_out=3, processes=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldData:
    folder: Path = tmp_path_factory.mktemp("world")
    render_world(folder, CONFIG, lambda done, total: None)
    return open_world(folder)


@pytest.fixture
def encoder() -> BodyEncoder:
    torch.manual_seed(0)
    return BodyEncoder(BodyConfig())


def test_sizes_of_encoder_bridge_and_signs_agree() -> None:
    told = sum(BODY_SIGNS.values())
    assert BodyConfig().signs == told
    assert BridgeConfig().signs_dim == told + POSE


def test_body_crop_holds_the_joints_where_the_signs_say(world: WorldData) -> None:
    """A foot that is in the picture lies between the crop's middle and its lower edge."""
    people = people_in(world, 0, len(world.bodies))
    at = (people[:, 0], people[:, 1], people[:, 2])
    joints = joints_of(world, at)
    head, foot = joints[:, JOINTS.index("head")], joints[:, JOINTS.index("right_foot")]
    assert np.abs(head).max() < 1.0
    assert np.median(foot[:, 1]) > 3.0
    assert world.bodies[at].reshape(len(people), -1).std(axis=1).min() > 1.0


def test_part_counts_only_where_it_is_in_view_and_a_colour_only_by_day(world: WorldData) -> None:
    people = people_in(world, 0, len(world.bodies))
    at = (people[:, 0], people[:, 1], people[:, 2])
    night = world.truth["night"][at[0]] > 0
    assert not shown(world, "top", at)[night].any()
    assert shown(world, "kind", at)[night].any()
    low = world.truth["bottom_seen"][at] < 0.5
    assert low.any()
    assert not shown(world, "bottom_kind", at)[low].any()


def test_encoder_learns_one_batch_by_heart(world: WorldData, encoder: BodyEncoder) -> None:
    stage = BodyStage(encoder, world, len(world.bodies), batch=12, seed=1)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=3e-3)

    def total() -> torch.Tensor:
        return torch.stack(list(stage.loss(0).values())).sum()

    before = float(total().detach())
    for _ in range(60):
        optimiser.zero_grad()
        loss = total()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert float(loss.detach()) < 0.25 * before


def test_what_is_out_of_view_moves_no_weight(world: WorldData, encoder: BodyEncoder) -> None:
    people = people_in(world, 0, len(world.bodies))
    at = (people[:, 0], people[:, 1], people[:, 2])
    unseen = ~shown(world, "bottom", at)
    hidden = (at[0][unseen][:4], at[1][unseen][:4], at[2][unseen][:4])
    told = torch.randn(4, sum(BODY_SIGNS.values()), requires_grad=True)
    losses = sign_losses(told, world, hidden)
    assert float(losses["bottom"].detach()) == 0.0
    assert float(losses["joints"].detach()) > 0


def test_figures_cover_every_sign(world: WorldData, encoder: BodyEncoder) -> None:
    figures = score_bodies(encoder, world, 0, len(world.bodies))
    assert set(figures) == {"joints_heads", *BODY_SIGNS} - {"joints"}
    assert tell_bodies(encoder, world, people_in(world, 0, 2)).shape[1] == sum(BODY_SIGNS.values())


def test_pose_is_read_better_than_by_its_mean(world: WorldData) -> None:
    torch.manual_seed(0)
    head = HeadEncoder(HeadConfig()).eval()
    fit_pose(head, world, clips=len(world.crops), seed=0)
    people = people_in(world, 0, len(world.crops))
    truth = pose_of(world, (people[:, 0], people[:, 1], people[:, 2]))
    figures = score_pose(head, world, 0, len(world.crops))
    assert figures["pitch_deg"] < 0.7 * float(np.rad2deg(truth[:, 2].std()))
