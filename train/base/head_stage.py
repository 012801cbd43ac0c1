"""Stage A: the head encoder, supervised (not in the paper's recipe). Knows no scenes and no episodes.

The traits that can be seen are read from the embedding itself, so that it is made of parts that new people
share. On top, two looks at one person are pulled together and away from everybody else in the batch (InfoNCE,
van den Oord 2018), from the person's look-alike where a difference can be seen in both. Crops are cut as
inexactly as a detector cuts them, and the encoder learns by how much.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.pixels import PixelSpec, normalise
from train.base.head_data import MIN_SEEN, HeadData
from train.base.world_data import WIDE, WorldData
from train.model.head import HeadEncoder
from train.precision import mixed
from train.world.sight import hidden_by_looks
from train.world.traits import HEAD_TRAITS, TRAITS, Identity

FACE_TURNED_DEG = 100.0
_SCALE = 24.0
_COARSE, _FINE = (0.1, 0.15), (0.025, 0.05)
"""Deviations of shift (sides of the crop) and of ln size: a detector's box, and a corrected one."""
_COARSE_SHARE = 0.4
_SAME_WEIGHT, _LOCATE_WEIGHT = 0.3, 5.0
_AT_ONCE = 256
_FEW = 8.0
"""A trait weighs as much as any other, however seldom it can be told; less where hardly any crop shows it."""


def hidden_traits(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """bool (N, 2, head traits), by day and by night: where other traits hide one (no hair has no colour).

    Args:
        values: (N, head traits), numbers of the values as in the rendered sets.
    """
    people = [
        Identity(
            **{name: TRAITS[name].values[int(v)] for name, v in zip(HEAD_TRAITS, row, strict=True)},
            height_cm=170.0, build="average", manner="relaxed",
        )
        for row in values
    ]  # fmt: skip
    return np.asarray(
        [
            [[hidden_by_looks(name, who, night) for name in HEAD_TRAITS] for night in (False, True)]
            for who in people
        ]
    )


def visible_traits(
    yaw_deg: NDArray[np.float32],
    head_px: NDArray[np.float32],
    night: NDArray[np.float32],
    hidden: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """float32 (N, head traits): 1 where a trait can be told from a crop, by the world's own table.

    Args:
        yaw_deg, head_px, night: (N,). hidden: (N, 2, head traits), see `hidden_traits`.
    """
    columns = []
    for index, name in enumerate(HEAD_TRAITS):
        trait = TRAITS[name]
        shown = head_px >= trait.min_head_px
        shown = shown & ~np.where(night > 0.5, hidden[:, 1, index], hidden[:, 0, index])
        shown = shown & (np.abs(yaw_deg) <= trait.max_yaw_deg)
        if trait.needs_colour:
            shown = shown & (night < 0.5)
        columns.append(shown)
    return np.stack(columns, axis=-1).astype(np.float32)


class HeadStage(nn.Module):
    """Head encoder with the classifiers that only training needs; `batch` crops, four of each family."""

    def __init__(self, encoder: HeadEncoder, data: HeadData, *, batch: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.families, self.seed, self.data = batch // 4, seed, data
        self.hidden = hidden_traits(data.truth["traits"])
        sizes = [len(TRAITS[name].values) for name in HEAD_TRAITS]
        self.traits = nn.ModuleList(nn.Linear(encoder.config.dim, size) for size in sizes)
        self.spec = PixelSpec()

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; the batch depends on seed and step alone."""
        rng = np.random.default_rng((self.seed, 10, step))
        truth = self.data.truth
        first = 2 * rng.choice(len(truth["traits"]) // 2, size=self.families, replace=False)
        people = np.sort(np.concatenate([first, first + 1]))
        values = truth["traits"][people].astype(np.int64)
        yaw, head_px, night, seen = (
            truth[name][people].T.reshape(-1) for name in ("yaw", "head_px", "night", "seen")
        )
        hidden = np.tile(self.hidden[people], (2, 1, 1))
        shown = visible_traits(yaw, head_px, night, hidden) * (seen > MIN_SEEN)[:, None]
        wanted_quality = torch.from_numpy(shown.mean(axis=1) * seen)
        pixels, told = self._cut(self.data.crops[people], rng)
        with mixed():
            maps = self.encoder.trunk_features(pixels).float()
        flat = maps.flatten(1)
        embedding = F.normalize(self.encoder.embed(flat), dim=-1)
        quality = self.encoder.quality(maps.mean(dim=(2, 3))).squeeze(-1)
        return {
            "same": _SAME_WEIGHT * pair_loss(embedding, wanted_quality, values, shown),
            "traits": 2 * self._traits(embedding, np.tile(values, (2, 1)), torch.from_numpy(shown)),
            "quality": F.binary_cross_entropy_with_logits(quality, wanted_quality),
            "locate": _LOCATE_WEIGHT * F.smooth_l1_loss(self.encoder.locate(flat), told, beta=0.05),
        }

    def _cut(self, crops: NDArray[np.uint8], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Crops of all first looks, then all second ones, and what the encoder should say of each cut."""
        stacked = crops.transpose(1, 0, 2, 3, 4).reshape(-1, *crops.shape[2:]).astype(np.float32)
        count = len(stacked)
        gain = rng.uniform(0.8, 1.2, (count, 1, 1, 1)).astype(np.float32)
        lit = np.clip(stacked * gain, 0, 255)
        coarse, fine = inexact(rng, count, _COARSE), inexact(rng, count, _FINE)
        first = torch.from_numpy(rng.random(count) < _COARSE_SHARE)
        shift = torch.where(first[:, None], coarse[0], fine[0])
        scale = torch.where(first, coarse[1], fine[1])
        return _prepared(lit, shift, scale, self.spec), correction(shift, scale)

    def _traits(self, embedding: Tensor, values: NDArray[np.int64], shown: Tensor) -> Tensor:
        losses = []
        for index, head in enumerate(self.traits):
            wanted = torch.from_numpy(values[:, index])
            each = F.cross_entropy(head(_SCALE * embedding), wanted, reduction="none")
            told = shown[:, index]
            losses.append((each * told).sum() / (told.sum() + _FEW))
        return torch.stack(losses).mean()


def pair_loss(
    embedding: Tensor, quality: Tensor, values: NDArray[np.int64], shown: NDArray[np.float32]
) -> Tensor:
    """InfoNCE between two looks, both ways, each pair weighing as much as its worse look can tell.

    Args:
        embedding: (2 P, E), unit; the first looks at all people, then the second ones.
        quality: (2 P,), 0..1.
        values: (P, traits); people 2k and 2k + 1 are look-alikes, nobody else in the batch is.
        shown: (2 P, traits), 1 where a trait can be told.
    """
    count = len(values)
    one, two = embedding[:count], embedding[count:]
    logits = _SCALE * (one @ two.T)
    number = np.arange(count)
    twin = number ^ 1
    differ = values != values[twin]
    told = (differ & (shown[:count] > 0) & (shown[count:][twin] > 0)).any(axis=1)
    hidden = torch.zeros(count, count)
    hidden[number[~told], twin[~told]] = -1e4
    weight = torch.minimum(quality[:count], quality[count:])
    target = torch.arange(count)
    forth = F.cross_entropy(logits + hidden, target, reduction="none")
    back = F.cross_entropy(logits.T + hidden.T, target, reduction="none")
    return ((forth + back) * weight).mean() / 2


def cut(wide: Tensor, shift: Tensor, scale: Tensor, size: int) -> Tensor:
    """Crops cut out of wide ones.

    Args:
        wide: (N, 3, side, side), `WIDE` times as wide as an exact crop, the head in the middle.
        shift: (N, 2), how far beside the head to cut, in sides of an exact crop.
        scale: (N,), ln of the cut's size over an exact crop's.
        size: of the result.

    Returns:
        (N, 3, size, size).
    """
    theta = wide.new_zeros(len(wide), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.exp(scale) / WIDE
    theta[:, :, 2] = shift * (2 / WIDE)
    grid = F.affine_grid(theta, [len(wide), 3, size, size], align_corners=False)
    return F.grid_sample(wide, grid, padding_mode="border", align_corners=False)


def _prepared(wide: NDArray[np.float32], shift: Tensor, scale: Tensor, spec: PixelSpec) -> Tensor:
    """What the encoder takes of wide crops (N, side, side, 3) in 0-255, cut as in `cut`."""
    crops = cut(torch.from_numpy(wide).permute(0, 3, 1, 2), shift, scale, spec.crop)
    pixels = torch.from_numpy(normalise(crops.permute(0, 2, 3, 1).numpy(), spec))
    return pixels.contiguous(memory_format=torch.channels_last)


def correction(shift: Tensor, scale: Tensor) -> Tensor:
    """What `HeadEncoder` should say of a crop cut with `shift` and `scale`: (N, 3)."""
    return torch.cat([-shift * torch.exp(-scale)[:, None], -scale[:, None]], dim=1)


def corrected(shift: Tensor, scale: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
    """The shift (N, 2) and scale (N,) of the next cut, after the encoder has told (N, 3)."""
    return shift + told[:, :2] * torch.exp(scale)[:, None], scale + told[:, 2]


def inexact(rng: np.random.Generator, count: int, size: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Shifts (N, 2) and scales (N,) of crops as a detector would cut them, inside the wide crop."""
    shift, scale = rng.normal(0, size[0], (count, 2)), rng.normal(0, size[1], count)
    room = np.maximum(WIDE - np.exp(scale), 0)[:, None] / 2
    kept = np.clip(shift, -room, room)
    return torch.from_numpy(kept.astype(np.float32)), torch.from_numpy(scale.astype(np.float32))


def mean_embedding(encoder: HeadEncoder, data: HeadData, *, people: int = 3000) -> Tensor:
    """Mean (E,) of the uncentred unit embeddings of the first look at people, by day and facing."""
    encoder.centre.zero_()
    truth = data.truth
    clear = (truth["seen"][:, 0] > 0.7) & (truth["night"][:, 0] < 0.5)
    clear &= np.abs(truth["yaw"][:, 0]) < FACE_TURNED_DEG
    embedding, _, _ = embed_crops(encoder, data.crops[np.flatnonzero(clear)[:people], 0], 0)
    return torch.from_numpy(embedding.mean(axis=0))


def cut_heads(wide: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """What the encoder takes of heads as the box cuts them in the end, a little beside."""
    shift, scale = inexact(rng, len(wide), _FINE)
    return _prepared(wide.astype(np.float32), shift, scale, PixelSpec())


@torch.no_grad()
def embed_crops(
    encoder: HeadEncoder, wide: NDArray[np.uint8], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Embeddings (N, E), qualities (N,) and poses (N, 3) of heads, cut inexactly and once more as on the box.

    Args:
        wide: uint8 (N, side, side, 3), as in the rendered set.
    """
    spec, rng = PixelSpec(), np.random.default_rng(seed)
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    embeddings, qualities, poses = [], [], []
    for start in range(0, len(wide), _AT_ONCE):
        part = wide[start : start + _AT_ONCE].astype(np.float32)
        shift, scale = inexact(rng, len(part), _COARSE)
        with mixed():
            _, _, told, _ = encoder(_prepared(part, shift, scale, spec))
            shift, scale = corrected(shift, scale, told.float())
            embedding, quality, _, pose = encoder(_prepared(part, shift, scale, spec))
        embeddings.append(F.normalize(embedding.float(), dim=-1).numpy())
        qualities.append(quality.float().numpy())
        poses.append(pose.float().numpy())
    return np.concatenate(embeddings), np.concatenate(qualities), np.concatenate(poses)


def head_separation(encoder: HeadEncoder, data: WorldData, first: int) -> dict[str, float]:
    """Equal error rates of single crops, people from `first` on: against anybody, and their look-alike."""
    truth = data.truth
    usable = (truth["who"][:, None, :] >= first) & (truth["seen"] > 0.7) & (truth["head_px"] > 26)
    usable &= (np.abs(truth["yaw"]) < FACE_TURNED_DEG) & (truth["night"] < 0.5)[:, None, None]
    rows = np.argwhere(usable)
    rng = np.random.default_rng(0)
    rows = rows[rng.permutation(len(rows))[:6000]]
    clip, t, slot = rows.T
    embedding, _, _ = embed_crops(encoder, data.crops[clip, t, slot], 0)
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
