"""Fits how parts of bodies are read from the frozen scene encoder's tokens. Knows no identity.

Whoever stands behind a post or leaves the picture shows an elbow, and no head. This small network lets a cell
say that somebody is there; how sure it must be follows from how often it may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from runtime.contract.pixels import PixelSpec, normalise
from runtime.people.detect import PART, PART_LOGIT, find_people, stray_parts
from train.base.descent import descend
from train.base.world_data import WorldData
from train.model.vision import VisionEncoder
from train.precision import mixed
from train.world.sight import MIN_HEAD_VISIBLE

MIN_SHARE = 0.06
"""From this share of a cell on a body is in it; cells that show less, but some, teach nothing."""
FALSE_ALARMS = 0.004
"""How many frames in which nobody is hidden may show a stray part."""
_FRAMES, _SET_ASIDE = 14_000, 0.15
_STEPS, _BATCH, _RATE, _DECAY = 3000, 256, 2e-3, 1e-3
_AT_ONCE = 64
_LOGITS = np.linspace(-2.0, 8.0, 101)


@dataclass(frozen=True, slots=True)
class _Frames:
    """Frames (F,) and what there is in them.

    Attributes:
        tokens: (F, P, D). shares: (F, P). open: (F,) everybody shows the head, and it is found.
        hidden: (F,) somebody shows a part, and no head is found.
    """

    tokens: Tensor
    shares: Tensor
    open: NDArray[np.bool_]
    hidden: NDArray[np.bool_]


def part_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of cells (F, P) that show a body, or show none; those that show a little do not count."""
    body = (shares >= MIN_SHARE).float()
    counts = body + (shares == 0).float()
    each = F.binary_cross_entropy_with_logits(logits, body, reduction="none")
    return (each * counts).sum() / counts.sum().clamp(min=1)


def fit_parts(vision: VisionEncoder, data: WorldData, *, clips: int, seed: int) -> None:
    """Fit in place on frames of the first `clips` clips; the last of these say how sure a cell must be."""
    split = round(clips * (1 - _SET_ASIDE))
    rng = np.random.default_rng((seed, 14))
    frames = _draw(vision, data, 0, split, _FRAMES, rng)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(vision.part.parameters(), lr=_RATE, weight_decay=_DECAY)

    def loss() -> Tensor:
        rows = torch.randint(len(frames.tokens), (_BATCH,), generator=generator)
        return part_loss(vision.part(frames.tokens[rows])[..., 0], frames.shares[rows])

    descend(optimiser, loss, _STEPS, _RATE)
    aside = _draw(vision, data, split, clips, _FRAMES // 2, rng)
    people = _people(vision, aside.tokens[torch.from_numpy(aside.open)])
    alarms = [np.mean(_alarms(vision, people, float(least))) for least in _LOGITS]
    least = next((x for x, rate in zip(_LOGITS, alarms, strict=True) if rate <= FALSE_ALARMS), _LOGITS[-1])
    with torch.no_grad():
        bias: Tensor = vision.part.get_parameter(f"{len(vision.part) - 1}.bias")
        bias.add_(PART_LOGIT - float(least))


def score_parts(
    vision: VisionEncoder, data: WorldData, first: int, last: int, *, most: int = 6000
) -> dict[str, float]:
    """How many frames with a hidden somebody are noticed, and how many others raise a false alarm."""
    frames = _draw(vision, data, first, last, most, np.random.default_rng(0))
    alarms = _alarms(vision, _people(vision, frames.tokens), PART_LOGIT)
    return {
        "hidden_frames": float(frames.hidden.sum()),
        "hidden_noticed": float(np.mean(alarms[frames.hidden])) if frames.hidden.any() else 0.0,
        "open_frames": float(frames.open.sum()),
        "open_alarmed": float(np.mean(alarms[frames.open])) if frames.open.any() else 0.0,
    }


@torch.no_grad()
def _draw(
    vision: VisionEncoder, data: WorldData, first: int, last: int, most: int, rng: np.random.Generator
) -> _Frames:
    """At most `most` frames of these clips at random, those in which no head is in view first."""
    vision.eval()
    truth = data.truth
    who = np.asarray(truth["who"][first:last, None, :] >= 0)
    head = np.asarray(who & (truth["seen"][first:last] >= MIN_HEAD_VISIBLE))
    order = rng.permutation(head.shape[0] * head.shape[1])
    order = order[np.argsort(head.any(axis=2).reshape(-1)[order], kind="stable")][:most]
    clip, t = np.unravel_index(np.sort(order), head.shape[:2])
    tokens = []
    for start in range(0, len(clip), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        pictures = data.frames[clip[part] + first, t[part]].astype(np.float32)
        pixels = torch.from_numpy(normalise(pictures, PixelSpec()))
        with mixed():
            tokens.append(vision.tokens(pixels).float())
    shares, here = truth["parts"][first:last][clip, t], who[clip, 0].sum(axis=1)
    found = np.concatenate([_heads_found(vision, part) for part in tokens])
    shown = np.asarray((shares >= MIN_SHARE).any(axis=1))
    whole = np.asarray(head[clip, t].sum(axis=1) == here)
    return _Frames(torch.cat(tokens), torch.from_numpy(shares), whole & (found >= here), shown & (found == 0))


def _heads_found(vision: VisionEncoder, tokens: Tensor) -> NDArray[np.int64]:
    """(F,): how many heads the box finds in each frame."""
    spec = PixelSpec()
    counts = [len(find_people(one, spec.width, spec.height, spec)) for one in _people(vision, tokens)]
    return np.array(counts, dtype=np.int64)


@torch.no_grad()
def _people(vision: VisionEncoder, tokens: Tensor) -> NDArray[np.float32]:
    """float32 (F, P, 10), as the box gets it."""
    return np.asarray(vision.find(tokens).numpy(), dtype=np.float32)


def _alarms(vision: VisionEncoder, people: NDArray[np.float32], least: float) -> NDArray[np.bool_]:
    """(F,): whether a frame shows a part that belongs to no head found, by the rule of the box."""
    rows = vision.config.grid[0]
    some = np.flatnonzero((people[..., PART] > least).any(axis=1))
    alarmed = np.zeros(len(people), dtype=np.bool_)
    alarmed[some] = [stray_parts(people[number], rows, least) > 0 for number in some]
    return alarmed
