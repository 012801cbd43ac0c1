"""Evidence from single traits: whether two embeddings agree on hair, glasses, jaw, each on its own.

A cosine averages over everything that an embedding holds, so one clear difference (blue hair, not grey)
drowns in nine likenesses. Here each group of traits is read from both embeddings, by one small network, as
a probability over its n values. How much likelier a reading is than that of two random people, if the trait
is the same and if it differs, is

    same_i = n x overlap_i,   other_i = n / (n - 1) x (1 - overlap_i),
    overlap_i = sum over values v of P(v | a) P(v | b),

and somebody else is a random stranger or, with probability k, a look-alike that differs in 1 to 5 traits:

    evidence = ln A - ln( (1 - k) + k A mean over j of e_j(other / same) / C(groups, j) ),
    A = product of same_i,

the log-likelihood ratio of one person against two for independent traits; e_j are the elementary symmetric
polynomials, so that every choice of j differing traits counts. A trait that cannot be read is likely to be
the one that differs: likenesses alone never prove more than the look-alikes allow. Learned: how sharp a
group's probabilities are, how often it is misread, and k. Knows no world: the groups are sizes alone.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

_MOST_DIFFERING = 5


class TraitEvidence(nn.Module):
    """Pairs of unit embeddings to natural log-likelihood ratios.

    Args:
        width: E, of an embedding. sizes: how many values each group has, at least five groups.
        hidden: units of the read-out's one hidden layer.
    """

    def __init__(self, width: int, sizes: tuple[int, ...], hidden: int = 256) -> None:
        super().__init__()
        if len(sizes) < _MOST_DIFFERING:
            raise ValueError(f"at least {_MOST_DIFFERING} groups of traits are needed, got {len(sizes)}")
        self.sizes = sizes
        self.read: nn.Module = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, sum(sizes))
        )
        self.sharpness = nn.Parameter(torch.ones(len(sizes)))
        self.misread = nn.Parameter(torch.full((len(sizes),), -3.0))
        self.kin = nn.Parameter(torch.tensor(-0.8))
        ways = [math.comb(len(sizes), j) for j in range(1, _MOST_DIFFERING + 1)]
        self._shares = [1.0 / (_MOST_DIFFERING * count) for count in ways]

    def forward(self, templates: Tensor, tracks: Tensor) -> Tensor:
        """(B, S, E) and (B, M, E) to (B, S, M)."""
        log_same: list[Tensor] = []
        odds: list[Tensor] = []
        groups = zip(
            self.sizes, self.sharpness, torch.sigmoid(self.misread), self._read(templates),
            self._read(tracks), strict=True,
        )  # fmt: skip
        for size, sharp, missed, a, b in groups:
            overlap = torch.softmax(sharp * a, dim=-1) @ torch.softmax(sharp * b, dim=-1).transpose(1, 2)
            overlap = (1 - missed) * overlap + missed / size
            same, other = size * overlap, (size / (size - 1)) * (1 - overlap)
            log_same.append(torch.log(same))
            odds.append(other / same)
        total = torch.stack(log_same).sum(dim=0)
        kin = torch.sigmoid(self.kin)
        return total - torch.log((1 - kin) + kin * torch.exp(total) * self._look_alikes(odds))

    def _look_alikes(self, odds: list[Tensor]) -> Tensor:
        """Mean likelihood of the look-alikes over that of the same person, in one pass over the groups."""
        sums = [torch.ones_like(odds[0])] + [torch.zeros_like(odds[0])] * _MOST_DIFFERING
        for ratio in odds:
            grown = [one + ratio * before for before, one in pairwise(sums)]
            sums = [sums[0], *grown]
        return torch.stack([share * value for share, value in zip(self._shares, sums[1:], strict=True)]).sum(
            dim=0
        )

    def _read(self, embeddings: Tensor) -> tuple[Tensor, ...]:
        """Logits by group."""
        return torch.split(self.read(embeddings), list(self.sizes), dim=-1)
