"""Supervised pretraining of the head and scene encoders (stages A and B; not in the paper's recipe).

Head: the traits that can be seen, read from the embedding itself, so that it is made of parts that new people
share; on top an additive-margin softmax over identities (CosFace, Wang 2018).
Scene: who stands where, joints, clothes, room and night. Knows no episodes and no language.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.pixels import PixelSpec, normalise
from train.base.world_data import ACTION_NAMES, COLOUR_NAMES, JOINTS, WorldData
from train.model.head import HeadEncoder
from train.model.vision import VisionEncoder
from train.world.palette import BOTTOM_COLOURS
from train.world.script import ROOM_KINDS, TOP_KINDS
from train.world.traits import HEAD_TRAITS, TRAITS

FACE_TURNED_DEG = 100.0
_SCALE, _MARGIN = 24.0, 0.25


def visible_traits(
    yaw_deg: NDArray[np.float32], head_px: NDArray[np.float32], night: NDArray[np.float32]
) -> NDArray[np.float32]:
    """float32 (N, head traits): 1 where a trait can be told from a crop, by the world's own table."""
    columns = []
    for name in HEAD_TRAITS:
        trait = TRAITS[name]
        shown = head_px >= trait.min_head_px
        shown = shown & (np.abs(yaw_deg) <= trait.max_yaw_deg)
        if trait.needs_colour:
            shown = shown & (night < 0.5)
        columns.append(shown)
    return np.stack(columns, axis=-1).astype(np.float32)


class HeadStage(nn.Module):
    """Head encoder with the classifiers that only training needs."""

    def __init__(self, encoder: HeadEncoder, data: WorldData, trained: int, *, batch: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batch, self.seed = batch, seed
        self.classes = nn.Parameter(torch.randn(trained, encoder.config.dim))
        sizes = [len(TRAITS[name].values) for name in HEAD_TRAITS]
        self.traits = nn.ModuleList(nn.Linear(encoder.config.dim, size) for size in sizes)
        truth = data.truth
        picked = (truth["who"][:, None, :] >= 0) & (truth["seen"] > 0.35) & (truth["head_px"] > 14)
        picked &= (truth["who"] < trained)[:, None, :]
        self.index = np.argwhere(picked)
        self.data = data
        self.spec = PixelSpec()

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; the batch depends on seed and step alone."""
        rng = np.random.default_rng((self.seed, 10, step))
        rows = self.index[rng.integers(len(self.index), size=self.batch)]
        clip, t, slot = rows.T
        truth = self.data.truth
        crops = self.data.crops[clip, t, slot].astype(np.float32)
        gain = rng.uniform(0.8, 1.2, (self.batch, 1, 1, 1)).astype(np.float32)
        pixels = _shaken(torch.from_numpy(normalise(np.clip(crops * gain, 0, 255), self.spec)), rng)
        who = torch.from_numpy(truth["who"][clip, slot].astype(np.int64))
        seen = truth["seen"][clip, t, slot]
        shown = visible_traits(
            truth["yaw"][clip, t, slot], truth["head_px"][clip, t, slot], truth["night"][clip]
        )
        weight = torch.from_numpy(shown)
        wanted_quality = torch.from_numpy(shown.mean(axis=1) * seen)
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.encoder.trunk_features(pixels.contiguous(memory_format=torch.channels_last)).float()
        embedding = F.normalize(self.encoder.embed(maps.flatten(1)), dim=-1)
        logits = embedding @ F.normalize(self.classes, dim=-1).T
        logits = _SCALE * (logits - _MARGIN * F.one_hot(who, len(self.classes)))
        identity = (F.cross_entropy(logits, who, reduction="none") * wanted_quality).mean()
        values = torch.from_numpy(truth["traits"][who.numpy()].astype(np.int64))
        traits = torch.stack(
            [
                (
                    F.cross_entropy(head(_SCALE * embedding), values[:, i], reduction="none") * weight[:, i]
                ).mean()
                for i, head in enumerate(self.traits)
            ]
        ).mean()
        quality = self.encoder.quality(maps.mean(dim=(2, 3))).squeeze(-1)
        told = F.binary_cross_entropy_with_logits(quality, wanted_quality)
        return {"identity": 0.1 * identity, "traits": 2 * traits, "quality": told}


class VisionStage(nn.Module):
    """Scene encoder with the read-outs that only training needs."""

    def __init__(self, encoder: VisionEncoder, data: WorldData, clips: int, *, batch: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batch, self.seed, self.clips = batch, seed, clips
        dim = encoder.config.dim
        self.joints = nn.Linear(dim, JOINTS * 2)
        self.top = nn.Linear(dim, len(COLOUR_NAMES))
        self.kind = nn.Linear(dim, len(TOP_KINDS))
        self.bottom = nn.Linear(dim, len(BOTTOM_COLOURS))
        self.turn = nn.Linear(dim, 2)
        self.posture = nn.Linear(dim, len(ACTION_NAMES))
        self.room = nn.Linear(dim, len(ROOM_KINDS))
        self.night = nn.Linear(dim, 1)
        self.data = data
        self.spec = PixelSpec()

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
        with torch.autocast("cpu", torch.bfloat16):
            tokens = self.encoder.tokens(pixels.contiguous(memory_format=torch.channels_last)).float()
        people = self.encoder.find(tokens)
        return {**self._people(tokens, people, clip, t), **self._scene(tokens, clip)}

    def _people(
        self, tokens: Tensor, people: Tensor, clip: NDArray[np.int64], t: NDArray[np.int64]
    ) -> dict[str, Tensor]:
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
        weight = 1 + 7 * target
        found = F.binary_cross_entropy_with_logits(people[..., 0], target, weight=weight)
        here = people[picture, cell]
        box = torch.from_numpy(head[picture, slot])
        body = torch.from_numpy(truth["body"][clip, t][picture, slot])
        wanted = torch.cat(
            [box[:, :2] + box[:, 2:] / 2, box[:, 2:], body[:, :2], body[:, :2] + body[:, 2:]], dim=-1
        )
        scale = torch.tensor([20.0] * 4 + [5.0] * 4)
        boxes = (F.smooth_l1_loss(here[:, 1:], wanted, reduction="none", beta=0.01) * scale).mean()
        token = tokens[picture, cell]
        joints = torch.from_numpy(truth["joints"][clip, t][picture, slot]) - wanted[:, None, :2]
        pose = F.smooth_l1_loss(self.joints(token).view(-1, JOINTS, 2), joints, beta=0.02) * 10
        day = torch.from_numpy(1 - truth["night"][clip][picture])
        yaw = np.deg2rad(truth["yaw"][clip, t][picture, slot])
        turn = torch.from_numpy(np.stack([np.sin(yaw), np.cos(yaw)], axis=-1))
        readouts = (
            (self.top, "top", day),
            (self.kind, "kind", torch.ones_like(day)),
            (self.bottom, "bottom", day),
        )
        clothes = torch.stack(
            [
                (
                    F.cross_entropy(layer(token), self._label(name, clip, picture, slot), reduction="none")
                    * mask
                ).mean()
                for layer, name, mask in readouts
            ]
        ).sum()
        act = F.cross_entropy(self.posture(token), self._label("action", clip, picture, slot))
        turned = F.mse_loss(self.turn(token), turn)
        return {
            "found": found * 2, "boxes": boxes, "pose": pose, "clothes": clothes * 0.3,
            "turn": turned * 0.3, "posture": act * 0.1,
        }  # fmt: skip

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


def _shaken(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Crops cut as inexactly as a detector cuts them: moved by a tenth of a head, scaled by a sixth."""
    count = len(pixels)
    scale = np.exp(rng.normal(0, 0.14, count))
    shift = rng.normal(0, 0.16, (count, 2))
    theta = np.zeros((count, 2, 3), dtype=np.float32)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = shift
    grid = F.affine_grid(torch.from_numpy(theta), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def embed_crops(
    encoder: HeadEncoder, crops: NDArray[np.uint8], report: Callable[[int], None] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings (N, E) and qualities (N,) of uint8 crops (N, crop, crop, 3)."""
    spec = PixelSpec()
    embeddings, qualities = [], []
    with torch.no_grad():
        for start in range(0, len(crops), 512):
            part = normalise(crops[start : start + 512].astype(np.float32), spec)
            embedding, quality = encoder(torch.from_numpy(part))
            embeddings.append(embedding.numpy())
            qualities.append(quality.numpy())
            if report:
                report(start)
    return np.concatenate(embeddings), np.concatenate(qualities)


def head_separation(encoder: HeadEncoder, data: WorldData, first: int) -> dict[str, float]:
    """Equal error rates of single crops, people from `first` on: against anybody, and their look-alike."""
    truth = data.truth
    usable = (truth["who"][:, None, :] >= first) & (truth["seen"] > 0.7) & (truth["head_px"] > 26)
    usable &= (np.abs(truth["yaw"]) < FACE_TURNED_DEG) & (truth["night"] < 0.5)[:, None, None]
    rows = np.argwhere(usable)
    rng = np.random.default_rng(0)
    rows = rows[rng.permutation(len(rows))[:6000]]
    clip, t, slot = rows.T
    embedding, _ = embed_crops(encoder, data.crops[clip, t, slot])
    who = truth["who"][clip, slot].astype(np.int64)
    cosine = embedding @ embedding.T
    other_clip = clip[:, None] != clip[None, :]
    same = cosine[(who[:, None] == who[None, :]) & other_clip]
    twins = cosine[(who[:, None] ^ 1 == who[None, :]) & other_clip]
    anybody = cosine[(who[:, None] // 2 != who[None, :] // 2) & other_clip]
    anybody = anybody[rng.integers(len(anybody), size=200_000)]
    return {
        "eer_anybody": equal_error(same, anybody),
        "eer_twin": equal_error(same, twins),
        "same_mean": float(same.mean()),
        "anybody_mean": float(anybody.mean()),
        "twin_mean": float(twins.mean()),
    }


def equal_error(same: NDArray[np.float32], different: NDArray[np.float32]) -> float:
    """Equal error rate, 0..0.5, of scores that are higher for the same person."""
    thresholds = np.quantile(np.concatenate([same, different]), np.linspace(0, 1, 501))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    accepted = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    best = int(np.argmin(np.abs(missed - accepted)))
    return float((missed[best] + accepted[best]) / 2)
