"""The frozen head encoder's maps of heads in the rendered set, for linear read-outs. Knows no labels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.base.head_stage import cut_heads
from train.base.world_data import WorldData
from train.model.head import HeadEncoder
from train.precision import mixed

_AT_ONCE = 256


@torch.no_grad()
def head_maps(
    head: HeadEncoder, data: WorldData, people: NDArray[np.int64], rng: np.random.Generator
) -> Tensor:
    """Flat maps (K, C) of heads, cut as the box cuts them after the correction.

    Args:
        people: (K, 3), clips, frames and slots.
    """
    head.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = []
    for start in range(0, len(people), _AT_ONCE):
        clip, t, slot = people[start : start + _AT_ONCE].T
        with mixed():
            maps = head.trunk_features(cut_heads(data.crops[clip, t, slot], rng)).float()
        found.append(maps.flatten(1))
    return torch.cat(found)


def draw_people(people: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `most` of the people (K, 3), at random, in the order of the set."""
    return people[np.sort(rng.permutation(len(people))[:most])]
