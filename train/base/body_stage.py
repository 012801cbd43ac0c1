"""The body encoder, supervised (not in the paper's recipe). Knows no identity and no episodes.

Frame by frame: joints, deed and clothes of whoever is in a body crop, each where it can be seen.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.pixels import PixelSpec, normalise
from train.base.signs import BODY_SIGNS, Places, joints_of, shown
from train.base.world_data import JOINTS, WorldData
from train.model.body import BodyEncoder
from train.precision import mixed

_WEIGHTS = {"joints": 3.0, "action": 0.2, "top": 0.5, "kind": 0.5, "bottom": 0.5, "bottom_kind": 0.5}
_MIN_SEEN = 0.25
_AT_ONCE = 256


def people_in(data: WorldData, first: int, last: int) -> NDArray[np.int64]:
    """(K, 3): clip, frame and slot of everybody whose head is in view, clips `first` to `last` - 1."""
    there = (data.truth["who"][first:last, None, :] >= 0) & (data.truth["seen"][first:last] > _MIN_SEEN)
    found = np.argwhere(there)
    found[:, 0] += first
    return found


class BodyStage(nn.Module):
    """The encoder and its losses; `clips`: how many clips are for training."""

    def __init__(self, encoder: BodyEncoder, data: WorldData, clips: int, *, batch: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.data, self.batch, self.seed = data, batch, seed
        self.people = people_in(data, 0, clips)

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; the batch depends on seed and step alone."""
        rng = np.random.default_rng((self.seed, 25, step))
        rows = self.people[np.sort(rng.integers(len(self.people), size=self.batch))]
        at = (rows[:, 0], rows[:, 1], rows[:, 2])
        pictures = self.data.bodies[at].astype(np.float32)
        gain = rng.uniform(0.85, 1.15, (len(rows), 1, 1, 1)).astype(np.float32)
        with mixed():
            maps = self.encoder.maps(prepared(np.clip(pictures * gain, 0, 255))).float()
        return sign_losses(self.encoder.tell(maps), self.data, at)


def sign_losses(told: Tensor, data: WorldData, at: Places) -> dict[str, Tensor]:
    """By part of the signs (K, signs): smooth L1 of joints, cross-entropy of the rest where it is shown."""
    parts = dict(zip(BODY_SIGNS, torch.split(told, list(BODY_SIGNS.values()), dim=-1), strict=True))
    wanted = torch.from_numpy(joints_of(data, at))
    losses = {"joints": F.smooth_l1_loss(parts["joints"].view(-1, JOINTS, 2), wanted, beta=0.1)}
    for name in BODY_SIGNS:
        if name != "joints":
            seen = torch.from_numpy(shown(data, name, at).astype(np.float32))
            each = F.cross_entropy(parts[name], label(data, name, at), reduction="none")
            losses[name] = (each * seen).sum() / (seen.sum() + 1.0)
    return {name: _WEIGHTS[name] * loss for name, loss in losses.items()}


def label(data: WorldData, name: str, at: Places) -> Tensor:
    """(K,) class numbers of a part that is a class."""
    clip, _, slot = at
    return torch.from_numpy(data.truth[name][clip, slot].astype(np.int64))


def prepared(bodies: NDArray[np.float32]) -> Tensor:
    """What the encoder takes of crops (K, height, width, 3) in 0-255."""
    pixels = torch.from_numpy(normalise(bodies, PixelSpec()))
    return pixels.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def tell_bodies(encoder: BodyEncoder, data: WorldData, people: NDArray[np.int64]) -> NDArray[np.float32]:
    """Signs (K, signs) of the people (K, 3) in clips, frames and slots."""
    told = []
    for start in range(0, len(people), _AT_ONCE):
        clip, t, slot = people[start : start + _AT_ONCE].T
        with mixed():
            maps = encoder.maps(prepared(data.bodies[clip, t, slot].astype(np.float32))).float()
        told.append(encoder.tell(maps).numpy())
    return np.concatenate(told)


def score_bodies(
    encoder: BodyEncoder, data: WorldData, first: int, last: int, *, most: int = 4000
) -> dict[str, float]:
    """People in clips `first` to `last` - 1: mean error of joints in view, in heads, and right shares."""
    people = people_in(data, first, last)
    rows = people[np.random.default_rng(0).permutation(len(people))[:most]]
    at = (rows[:, 0], rows[:, 1], rows[:, 2])
    told = torch.from_numpy(tell_bodies(encoder.eval(), data, rows))
    parts = dict(zip(BODY_SIGNS, torch.split(told, list(BODY_SIGNS.values()), dim=-1), strict=True))
    apart = (parts["joints"].view(-1, JOINTS, 2) - torch.from_numpy(joints_of(data, at))).norm(dim=-1).numpy()
    places = data.truth["joints"][at]
    inside = ((places > 0) & (places < 1)).all(axis=-1)
    figures = {"joints_heads": float(apart[inside].mean())}
    for name in BODY_SIGNS:
        if name != "joints":
            right = (parts[name].argmax(dim=-1) == label(data, name, at)).numpy()
            figures[name] = float(right[shown(data, name, at)].mean())
    return figures
