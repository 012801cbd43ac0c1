"""Stage B: the scene encoder, supervised (not in the paper's recipe). Knows no identity and no episodes.

The token of the cell that holds a head's centre learns where head and body are, and that of every cell with
part of a body that somebody is there, whose head may be hidden. From the tokens around a detected
head, mixed as the bridge mixes them, one linear read-out learns joints, turn, action and clothes, so that
tokens hold them. All tokens together learn the room and whether it is night.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.pixels import PixelSpec, normalise
from runtime.people.detect import PART
from train.base.part_readout import part_loss
from train.base.signs import shown
from train.base.world_data import ACTION_NAMES, COLOUR_NAMES, JOINTS, SLOTS, WorldData
from train.model.bridge import HEAD_SHARP
from train.model.vision import VisionEncoder, nearness
from train.precision import mixed
from train.world.palette import BOTTOM_COLOURS
from train.world.script import BOTTOM_KINDS, ROOM_KINDS, TOP_KINDS

SAID = {
    "joints": JOINTS * 2, "turn": 2, "action": len(ACTION_NAMES), "top": len(COLOUR_NAMES),
    "kind": len(TOP_KINDS), "bottom": len(BOTTOM_COLOURS), "bottom_kind": len(BOTTOM_KINDS),
}  # fmt: skip
"""What the read-out `say` tells, in this order, and how many numbers each takes."""
_CLOTHES = ("top", "kind", "bottom", "bottom_kind")
_BOX_NOISE = 0.05


class VisionStage(nn.Module):
    """Scene encoder with the read-outs that only training needs."""

    def __init__(self, encoder: VisionEncoder, data: WorldData, clips: int, *, batch: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batch, self.seed, self.clips = batch, seed, clips
        dim = encoder.config.dim
        self.say = nn.Linear(dim, sum(SAID.values()))
        self.room = nn.Linear(dim, len(ROOM_KINDS))
        self.night = nn.Linear(dim, 1)
        self.data = data
        self.spec = PixelSpec()
        rows, columns = encoder.config.grid
        self.register_buffer(
            "_centres", (encoder.cells + 0.5) / torch.tensor([columns, rows]), persistent=False
        )
        self._centres: Tensor

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; the batch depends on seed and step alone."""
        rng = np.random.default_rng((self.seed, 20, step))
        clip = rng.integers(self.clips, size=self.batch)
        t = rng.integers(self.spec.window_frames, size=self.batch)
        order = np.lexsort((t, clip))
        clip, t = clip[order], t[order]
        pictures = self.data.frames[clip, t].astype(np.float32)
        gain = rng.uniform(0.85, 1.15, (self.batch, 1, 1, 1)).astype(np.float32)
        pixels = torch.from_numpy(normalise(np.clip(pictures * gain, 0, 255), self.spec))
        with mixed():
            tokens = self.encoder.tokens(pixels.contiguous(memory_format=torch.channels_last)).float()
        people = self.encoder.find(tokens)
        noise = rng.normal(0, _BOX_NOISE, (self.batch, SLOTS, 2)).astype(np.float32)
        return {**self._people(tokens, people, clip, t, noise), **self._scene(tokens, clip)}

    def _people(
        self, tokens: Tensor, people: Tensor, clip: NDArray[np.int64], t: NDArray[np.int64],
        noise: NDArray[np.float32],
    ) -> dict[str, Tensor]:  # fmt: skip
        truth = self.data.truth
        rows, columns = self.encoder.config.grid
        head, seen = truth["head"][clip, t], truth["seen"][clip, t]
        present = (truth["who"][clip] >= 0) & (seen > 0.25)
        centre = head[..., :2] + head[..., 2:] / 2
        inside = present & (centre > 0).all(-1) & (centre < 1).all(-1)
        cell_x = np.clip(centre[..., 0] * columns, 0, columns - 1).astype(np.int64)
        cell_y = np.clip(centre[..., 1] * rows, 0, rows - 1).astype(np.int64)
        picture, slot = np.nonzero(inside)
        cell = (cell_y * columns + cell_x)[picture, slot]
        target = torch.zeros(people.shape[:2])
        target[picture, cell] = 1.0
        found = _found(people[..., 0], target)
        here = people[picture, cell]
        box = torch.from_numpy(head[picture, slot])
        body = torch.from_numpy(truth["body"][clip, t][picture, slot])
        wanted = torch.cat(
            [box[:, :2] + box[:, 2:] / 2, box[:, 2:], body[:, :2], body[:, :2] + body[:, 2:]], dim=-1
        )
        scale = torch.tensor([20.0] * 4 + [5.0] * 4)
        boxes = (F.smooth_l1_loss(here[:, 1:], wanted, reduction="none", beta=0.01) * scale).mean()
        at = torch.from_numpy((centre + noise * head[..., 2:])[picture, slot])
        weight = nearness(at, self._centres, self.encoder.config.grid, HEAD_SHARP)
        said = self.say((weight[:, None] @ tokens[picture])[:, 0])
        part = part_loss(people[..., PART], torch.from_numpy(truth["parts"][clip, t]))
        return {
            "found": found * 2,
            "part": part,
            "boxes": boxes,
            **self._said(said, clip, t, picture, slot),
        }

    def _said(
        self, said: Tensor, clip: NDArray[np.int64], t: NDArray[np.int64], picture: NDArray[np.int64],
        slot: NDArray[np.int64],
    ) -> dict[str, Tensor]:  # fmt: skip
        """Losses of what is told of the people in `slot` (K,) of the pictures `picture` (K,)."""
        truth = self.data.truth
        parts = dict(zip(SAID, torch.split(said, list(SAID.values()), dim=-1), strict=True))
        joints = self._joints(clip, t, picture, slot)
        pose = F.smooth_l1_loss(parts["joints"].view(-1, JOINTS, 2), joints, beta=0.1)
        yaw = np.deg2rad(truth["yaw"][clip, t][picture, slot])
        turn = torch.from_numpy(np.stack([np.sin(yaw), np.cos(yaw)], axis=-1))
        at = (clip[picture], t[picture], slot)
        clothes = said.new_zeros(())
        for name in _CLOTHES:
            told = torch.from_numpy(shown(self.data, name, at).astype(np.float32))
            each = F.cross_entropy(parts[name], self._label(name, clip, picture, slot), reduction="none")
            clothes = clothes + (each * told).mean()
        act = F.cross_entropy(parts["action"], self._label("action", clip, picture, slot))
        return {
            "pose": pose * 3, "clothes": clothes * 0.5, "turn": F.mse_loss(parts["turn"], turn) * 0.3,
            "posture": act * 0.2,
        }  # fmt: skip

    def _joints(
        self, clip: NDArray[np.int64], t: NDArray[np.int64], picture: NDArray[np.int64],
        slot: NDArray[np.int64],
    ) -> Tensor:  # fmt: skip
        """(N, joints, 2): joints right of and below the head's centre, in head heights."""
        head = self.data.truth["head"][clip, t][picture, slot]
        joints = self.data.truth["joints"][clip, t][picture, slot]
        centre, height = head[:, :2] + head[:, 2:] / 2, head[:, 3]
        aspect = np.array([self.spec.width / self.spec.height, 1.0], dtype=np.float32)
        heads = (joints - centre[:, None]) * aspect / np.maximum(height, 1e-3)[:, None, None]
        return torch.from_numpy(np.clip(heads, -10, 10).astype(np.float32))

    def _label(
        self, name: str, clip: NDArray[np.int64], picture: NDArray[np.int64], slot: NDArray[np.int64]
    ) -> Tensor:
        return torch.from_numpy(self.data.truth[name][clip][picture, slot].astype(np.int64))

    def _scene(self, tokens: Tensor, clip: NDArray[np.int64]) -> dict[str, Tensor]:
        pooled = tokens.mean(dim=1)
        truth = self.data.truth
        room = F.cross_entropy(self.room(pooled), torch.from_numpy(truth["room"][clip].astype(np.int64)))
        night = F.binary_cross_entropy_with_logits(
            self.night(pooled).squeeze(-1), torch.from_numpy(truth["night"][clip])
        )
        return {"room": room * 0.5, "night": night * 0.1}


def _found(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of cells in which somebody is; they are few, so they weigh more."""
    return F.binary_cross_entropy_with_logits(logits, target, weight=1 + 7 * target)
