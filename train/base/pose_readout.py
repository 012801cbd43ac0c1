"""Fits how a head's pose is read from the head encoder's maps: one linear layer, least squares.

Knows no scene.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.base.body_stage import people_in
from train.base.head_maps import draw_people, head_maps
from train.base.signs import pose_of
from train.base.world_data import WorldData
from train.model.head import HeadEncoder

_HEADS = 24_000
_RIDGE = 1e-3
"""Of the mean square of the maps."""


@torch.no_grad()
def fit_pose(head: HeadEncoder, data: WorldData, *, clips: int, seed: int) -> None:
    """Fit in place on heads of the first `clips` clips."""
    maps, wanted = _maps(head, data, 0, clips, _HEADS, seed)
    middle, mean = maps.mean(dim=0), wanted.mean(dim=0)
    centred = (maps - middle).double()
    square = centred.T @ centred
    square += _RIDGE * square.trace() / len(square) * torch.eye(len(square), dtype=torch.float64)
    weight = torch.linalg.solve(square, centred.T @ (wanted - mean).double()).float()
    head.pose.weight.copy_(weight.T)
    head.pose.bias.copy_(mean - middle @ weight)


@torch.no_grad()
def score_pose(
    head: HeadEncoder, data: WorldData, first: int, last: int, *, most: int = 4000
) -> dict[str, float]:
    """Root mean square errors of yaw and pitch in degrees, heads of clips `first` to `last` - 1."""
    maps, wanted = _maps(head, data, first, last, most, 0)
    told = head.pose(maps)
    turn = torch.atan2(told[:, 0], told[:, 1]) - torch.atan2(wanted[:, 0], wanted[:, 1])
    wrapped = torch.atan2(torch.sin(turn), torch.cos(turn))
    return {
        "yaw_deg": float(torch.rad2deg(wrapped.square().mean().sqrt())),
        "pitch_deg": float(torch.rad2deg(F.mse_loss(told[:, 2], wanted[:, 2]).sqrt())),
    }


def _maps(
    head: HeadEncoder, data: WorldData, first: int, last: int, most: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Flat maps (K, C) of at most `most` heads at random, and their poses (K, 3)."""
    rng = np.random.default_rng((seed, 12))
    rows = draw_people(people_in(data, first, last), most, rng)
    wanted = torch.from_numpy(pose_of(data, (rows[:, 0], rows[:, 1], rows[:, 2])))
    return head_maps(head, data, rows, rng), wanted
