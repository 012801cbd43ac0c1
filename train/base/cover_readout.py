"""Fits how it is read from the head encoder's maps whether enough of a head is uncovered. Knows no scene.

A half-covered head is found like any other, and its embedding is somebody's: this one linear layer (logistic
regression) lets the view's quality say that nobody can be told from it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from train.base.head_maps import draw_people, head_maps
from train.base.head_stage import equal_error
from train.base.world_data import WorldData
from train.model.head import HeadEncoder
from train.world.sight import MIN_HEAD_VISIBLE

_HEADS, _DECAY = 24_000, 3e-4


def fit_uncovered(head: HeadEncoder, data: WorldData, *, clips: int, seed: int) -> None:
    """Fit in place on heads of the first `clips` clips, covered ones weighing as much as the others."""
    maps, clear = _heads(head, data, 0, clips, _HEADS, seed)
    weight = torch.where(clear > 0, 0.5 / clear.mean(), 0.5 / (1 - clear.mean()))
    scale = maps.std(dim=0) + 1e-3
    middle = maps.mean(dim=0)
    unit = (maps - middle) / scale
    theta = torch.zeros(maps.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([theta], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = unit @ theta[:-1] + theta[-1]
        loss = F.binary_cross_entropy_with_logits(logits, clear, weight=weight)
        loss = loss + _DECAY * theta[:-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        of_maps = theta[:-1] / scale
        head.uncovered.weight.copy_(of_maps[None])
        head.uncovered.bias.copy_(theta[-1:] - middle @ of_maps)


@torch.no_grad()
def score_uncovered(
    head: HeadEncoder, data: WorldData, first: int, last: int, *, most: int = 4000
) -> dict[str, float]:
    """Equal error rate, and how often covered and uncovered heads are told as such."""
    maps, clear = _heads(head, data, first, last, most, 0)
    told = head.uncovered(maps)[:, 0]
    return {
        "uncovered_eer": equal_error(told[clear > 0].numpy(), told[clear == 0].numpy()),
        "covered_told": float((told[clear == 0] < 0).float().mean()),
        "uncovered_told": float((told[clear > 0] > 0).float().mean()),
    }


def _heads(
    head: HeadEncoder, data: WorldData, first: int, last: int, most: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Flat maps (K, C) of heads at random, half of them covered as far as there are, and 1 where not."""
    rng = np.random.default_rng((seed, 13))
    seen = np.where(data.truth["who"][first:last, None, :] >= 0, data.truth["seen"][first:last], -1.0)
    parts = [_draw(seen >= MIN_HEAD_VISIBLE, first, most // 2, rng)]
    parts.append(_draw((seen >= 0) & (seen < MIN_HEAD_VISIBLE), first, most // 2, rng))
    clear = torch.cat([torch.ones(len(parts[0])), torch.zeros(len(parts[1]))])
    return torch.cat([head_maps(head, data, part, rng) for part in parts]), clear


def _draw(picked: NDArray[np.bool_], first: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return draw_people(np.argwhere(picked) + np.array([first, 0, 0]), most, rng)
