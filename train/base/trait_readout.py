"""Fits how traits are read from embeddings, on people that the head encoder has not seen. Knows no bridge.

A linear read-out per trait with cross-entropy where the trait can be told, and with even probabilities as the
target where it cannot, so that what is not visible is read as not known.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.base.episodes import MIN_SEEN
from train.base.features import Features
from train.base.head_stage import visible_traits
from train.base.world_data import WorldData
from train.model.traits import TraitEvidence
from train.world.traits import HEAD_TRAITS, TRAITS

TRAIT_SIZES: tuple[int, ...] = tuple(len(TRAITS[name].values) for name in HEAD_TRAITS)
_STEPS, _BATCH, _RATE, _SHARPEN = 1500, 1024, 2e-2, 2.0
"""`_SHARPEN`: a track's mean tells more than the single views that the read-out is fitted on."""


def fit_traits(traits: TraitEvidence, data: WorldData, features: Features, *, people: int, seed: int) -> None:
    """Fit in place on the views of the people 0 to `people` - 1; the result is frozen.

    Raises:
        ValueError: the module's groups are not this world's traits.
    """
    if traits.sizes != TRAIT_SIZES:
        raise ValueError(f"trait_sizes is {traits.sizes}, this world's head traits are {TRAIT_SIZES}")
    truth = data.truth
    who = truth["who"].astype(np.int64)
    picked = (who[:, None, :] >= 0) & (who < people)[:, None, :] & (truth["seen"] > MIN_SEEN)
    clip, t, slot = np.nonzero(picked)
    embed = torch.from_numpy(features.embed[clip, t, slot])
    values = torch.from_numpy(truth["traits"][who[clip, slot]].astype(np.int64))
    shown = torch.from_numpy(
        visible_traits(truth["yaw"][clip, t, slot], truth["head_px"][clip, t, slot], truth["night"][clip])
    )
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(traits.read.parameters(), lr=_RATE, weight_decay=1e-3)
    for step in range(_STEPS):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (1 - step / _STEPS)
        rows = torch.randint(len(embed), (_BATCH,), generator=generator)
        loss = readout_loss(traits.read(embed[rows]), values[rows], shown[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        traits.read.weight.mul_(_SHARPEN)
        traits.read.bias.mul_(_SHARPEN)
    traits.read.requires_grad_(False)


def readout_loss(logits: Tensor, values: Tensor, shown: Tensor) -> Tensor:
    """Mean over traits of the cross-entropy with the value, or with even probabilities where not shown.

    Args:
        logits: (N, sum of sizes); values: (N, traits); shown: (N, traits) 1 or 0.
    """
    total = logits.new_zeros(())
    for index, part in enumerate(torch.split(logits, list(TRAIT_SIZES), dim=1)):
        told = F.log_softmax(part, dim=1)
        right = -told.gather(1, values[:, index : index + 1])[:, 0]
        even = -told.mean(dim=1)
        total = total + (right * shown[:, index] + even * (1 - shown[:, index])).mean()
    return total / len(TRAIT_SIZES)
