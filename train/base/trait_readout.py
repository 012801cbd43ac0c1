"""Fits how traits are read and weighed, on people that the head encoder has not seen. Knows no bridge.

First the read-out of all traits with cross-entropy where a trait can be told, and with even probabilities
as the target where it cannot, so that what is not visible is read as not known. Then, on pairs of a reference
clip and a track of another clip, how sharp and how reliable each trait is, and last what corrects their sum.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from train.base.descent import descend
from train.base.episodes import MIN_SEEN
from train.base.features import Features
from train.base.head_stage import hidden_traits, visible_traits
from train.base.world_data import WorldData
from train.model.traits import TraitEvidence
from train.world.traits import HEAD_TRAITS, TRAITS

TRAIT_SIZES: tuple[int, ...] = tuple(len(TRAITS[name].values) for name in HEAD_TRAITS)
_STEPS, _BATCH, _RATE, _DECAY = 3000, 1024, 3e-3, 1e-4
_PAIR_STEPS, _PAIR_RATE = 600, 2e-2
_CORRECTION_STEPS, _CORRECTION_BATCH, _CORRECTION_RATE = 1500, 2048, 3e-3
_CORRECTION_DECAY, _CORRECTION_DROPOUT = 1e-2, 0.15
_TWIN_SHARE, _SAME_SHARE = 0.25, 0.5


def fit_traits(
    traits: TraitEvidence, data: WorldData, features: Features, *, people: int, clips_each: int, seed: int
) -> None:
    """Fit in place on the people 0 to `people` - 1; read-out and correction are frozen, the weighing is not.

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
    hidden = hidden_traits(truth["traits"])[who[clip, slot]]
    shown = torch.from_numpy(
        visible_traits(
            truth["yaw"][clip, t, slot], truth["head_px"][clip, t, slot], truth["night"][clip], hidden
        )
    )
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(traits.read.parameters(), lr=_RATE, weight_decay=_DECAY)

    def loss() -> Tensor:
        rows = torch.randint(len(embed), (_BATCH,), generator=generator)
        return readout_loss(traits.read(embed[rows]), values[rows], shown[rows])

    descend(optimiser, loss, _STEPS, _RATE)
    traits.read.requires_grad_(False)
    _weigh(traits, track_means(data, features), who, people, clips_each, seed)


def track_means(data: WorldData, features: Features) -> NDArray[np.float32]:
    """(N, A, E): of everybody in every clip the unit mean of the views, better ones weighing more.

    Zeros where nobody is in view.
    """
    seen = (data.truth["seen"] > MIN_SEEN) * (features.quality + 0.05)
    mean: NDArray[np.float32] = np.einsum("nta,ntae->nae", seen.astype(np.float32), features.embed)
    unit: NDArray[np.float32] = mean / (np.linalg.norm(mean, axis=-1, keepdims=True) + 1e-6)
    return unit


def draw_pairs(
    rng: np.random.Generator, who: NDArray[np.int64], people: int, clips_each: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Somebody asked about, the clip and the slot of somebody seen, and whether they are the same person.

    Half are; of the others one half are look-alikes of those asked about. Reference clips show nobody seen.
    """
    clip = rng.integers(people, size=count) * clips_each + rng.integers(1, clips_each, size=count)
    taken = (who[clip] >= 0).sum(axis=1)
    slot = rng.integers(taken)
    seen = who[clip, slot]
    dice = rng.random(count)
    asked = np.where(
        dice < _SAME_SHARE,
        seen,
        np.where(dice < _SAME_SHARE + _TWIN_SHARE, seen ^ 1, rng.integers(people, size=count)),
    )
    return asked, clip, slot, (asked == seen).astype(np.float32)


def _weigh(
    traits: TraitEvidence, means: NDArray[np.float32], who: NDArray[np.int64], people: int, clips_each: int,
    seed: int,
) -> None:  # fmt: skip
    """Fit how traits are weighed, then the correction; a person's first clip is the reference."""
    rng = np.random.default_rng((seed, 32))
    chosen = [traits.sharpness, traits.misread, traits.kin]
    bias = torch.zeros((), requires_grad=True)

    def loss(batch: int, dropout: float) -> Tensor:
        asked, clip, slot, same = draw_pairs(rng, who, people, clips_each, batch)
        template = torch.from_numpy(means[asked * clips_each, 0])[:, None]
        track = torch.from_numpy(means[clip, slot])[:, None]
        in_view = (track.abs().sum(dim=-1) > 0) & (template.abs().sum(dim=-1) > 0)
        evidence, told = traits.compare(template, track)
        evidence = evidence + traits.correct(F.dropout(told, dropout)).squeeze(-1)
        return F.binary_cross_entropy_with_logits(
            evidence[:, 0, 0] + bias, torch.from_numpy(same), weight=in_view[:, 0].float()
        )

    optimiser: torch.optim.Optimizer = torch.optim.Adam([*chosen, bias], lr=_PAIR_RATE)
    descend(optimiser, lambda: loss(_BATCH, 0.0), _PAIR_STEPS, _PAIR_RATE)
    correction = [*traits.correct.parameters(), bias]
    optimiser = torch.optim.AdamW(correction, lr=_CORRECTION_RATE, weight_decay=_CORRECTION_DECAY)
    descend(
        optimiser, lambda: loss(_CORRECTION_BATCH, _CORRECTION_DROPOUT), _CORRECTION_STEPS, _CORRECTION_RATE
    )
    traits.correct.requires_grad_(False)


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
