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
group's probabilities are, how often it is misread, and k.

Readings are not independent: what hides one trait hides its neighbours, and a value is taken for some others
more than for the rest. A small network corrects the evidence by how each trait agrees and how surely it was
read on either side; at first it corrects nothing. Knows no world: the groups are sizes alone.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

_MOST_DIFFERING = 5
_CORRECTION = 32
_LEAST = 1e-3


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
        last = nn.Linear(_CORRECTION, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.correct = nn.Sequential(nn.Linear(4 * len(sizes) + 1, _CORRECTION), nn.GELU(), last)
        ways = [math.comb(len(sizes), j) for j in range(1, _MOST_DIFFERING + 1)]
        self._shares = [1.0 / (_MOST_DIFFERING * count) for count in ways]

    def forward(self, templates: Tensor, tracks: Tensor) -> Tensor:
        """(B, S, E) and (B, M, E) to (B, S, M)."""
        evidence, told = self.compare(templates, tracks)
        corrected: Tensor = evidence + self.correct(told).squeeze(-1)
        return corrected

    def compare(self, templates: Tensor, tracks: Tensor) -> tuple[Tensor, Tensor]:
        """The evidence before it is corrected (B, S, M), and what corrects it (B, S, M, 4 groups + 1).

        The cosine, then for each group ln same, ln (other / same), and the largest probability on both sides.
        """
        log_same: list[Tensor] = []
        odds: list[Tensor] = []
        told = [templates @ tracks.transpose(1, 2)]
        groups = zip(
            self.sizes, self.sharpness, torch.sigmoid(self.misread), self._read(templates),
            self._read(tracks), strict=True,
        )  # fmt: skip
        for size, sharp, missed, a, b in groups:
            mine, seen = torch.softmax(sharp * a, dim=-1), torch.softmax(sharp * b, dim=-1)
            overlap = (1 - missed) * (mine @ seen.transpose(1, 2)) + missed / size
            same, other = size * overlap, (size / (size - 1)) * (1 - overlap)
            log_same.append(torch.log(same))
            odds.append(other / same)
            told += [log_same[-1], torch.log(odds[-1] + _LEAST), *_sureness(mine, seen)]
        total = torch.stack(log_same).sum(dim=0)
        kin = torch.sigmoid(self.kin)
        evidence = total - torch.log((1 - kin) + kin * torch.exp(total) * self._look_alikes(odds))
        return evidence, torch.stack(told, dim=-1)

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


def _sureness(mine: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """The largest probability of one trait on either side, for every pair: (B, S, M) each."""
    a, b = mine.amax(dim=-1)[:, :, None], seen.amax(dim=-1)[:, None, :]
    return a.expand(-1, -1, b.shape[2]), b.expand(-1, a.shape[1], -1)
