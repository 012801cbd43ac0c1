"""Evidence from single traits: whether two embeddings agree on hair, glasses, jaw, each on its own.

A cosine averages over everything that an embedding holds, so one clear difference (blue hair, not grey)
drowns in nine likenesses. Here each group of traits is read from both embeddings as a probability over its
values, and

    evidence = sum over groups of w x ln( n x sum over values v of P(v | template) x P(v | track) ),

with w = 1 the log-likelihood ratio of one person against two, for independent traits whose n values are
equally common; w is learned, because some traits are read better than others. Where a trait cannot be read,
its probabilities are even and it counts for nothing. Knows no world: the groups are sizes alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEAST = 1e-2
"""Least likelihood ratio of a group: one misread trait must not outweigh all others."""


class TraitEvidence(nn.Module):
    """Pairs of unit embeddings to natural log-likelihood ratios.

    Args:
        width: E, of an embedding. sizes: how many values each group has.
    """

    def __init__(self, width: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes
        self.read = nn.Linear(width, sum(sizes))
        self.weights = nn.Parameter(torch.full((len(sizes),), 0.5))

    def forward(self, templates: Tensor, tracks: Tensor) -> Tensor:
        """(B, S, E) and (B, M, E) to (B, S, M)."""
        evidence = templates.new_zeros(())
        groups = zip(self.sizes, self.weights, *self._read(templates, tracks), strict=True)
        for size, weight, a, b in groups:
            agree = torch.softmax(a, dim=-1) @ torch.softmax(b, dim=-1).transpose(1, 2)
            evidence = evidence + weight * torch.log((size * agree).clamp(min=_LEAST))
        return evidence

    def _read(self, templates: Tensor, tracks: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Logits by group of both sides."""
        return self.read(templates).split(self.sizes, dim=-1), self.read(tracks).split(self.sizes, dim=-1)
