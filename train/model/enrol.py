"""Instant enrolment: one forward pass over a reference clip's person tokens. Knows no pixels.

Learned seeds attend to the reference tokens; what they find is added to the shared starting rows. With no
valid token the result is the shared start itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from train.model.remoh import RoutedAttention


@dataclass(frozen=True, slots=True)
class EnrolConfig:
    """Sizes of the enrolment pass; `soft`: how many soft tokens stand for a subject in the prompt."""

    dim: int = 192
    heads: int = 12
    queries: int = 16
    soft: int = 16
    embed_dim: int = 128
    geom_dim: int = 12
    language_dim: int = 192


class Enrol(nn.Module):
    """Reference tokens to a subject's rows, soft tokens and token."""

    def __init__(self, config: EnrolConfig) -> None:
        super().__init__()
        self.config = config
        self.seeds = nn.Parameter(torch.randn(config.queries + config.soft + 1, config.dim) * 0.2)
        self.embed_in = nn.Linear(config.embed_dim, config.dim)
        self.geom_in = nn.Linear(config.geom_dim, config.dim)
        self.norm = nn.LayerNorm(config.dim)
        self.attention = RoutedAttention(config.dim, config.heads, None)
        self.query_out = nn.Linear(config.dim, config.dim)
        self.language_out = nn.Linear(config.dim, config.language_dim)
        self.queries = nn.Parameter(torch.randn(config.queries, config.dim) * 0.2)
        self.soft_tokens = nn.Parameter(torch.randn(config.soft, config.language_dim) * 0.02)
        for layer in (self.query_out, self.language_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, embed: Tensor, geom: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Enrol from reference tokens.

        Args:
            embed: (B, N, E) unit rows; geom: (B, N, G); valid: (B, N) 1 or 0.

        Returns:
            queries (B, Q, D), soft tokens (B, W, Dl), token (B, Dl).
        """
        tokens = self.norm(self.embed_in(embed) + self.geom_in(geom))
        key = self.attention.split(self.attention.key(tokens))
        value = self.attention.split(self.attention.value(tokens))
        closed = (1 - valid)[:, None, None, :] * -1e4
        found, _ = self.attention(self.seeds.expand(len(embed), -1, -1), key, value, closed)
        found = found * valid.amax(dim=-1)[:, None, None]
        count = self.config.queries
        queries = self.queries + self.query_out(found[:, :count])
        words = self.language_out(found[:, count:])
        return queries, self.soft_tokens + words[:, :-1], words[:, -1]
