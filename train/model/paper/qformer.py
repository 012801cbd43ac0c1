"""The Q-Former of BLIP-2 (arXiv 2301.12597) with ReMoH in its upper half. Knows no pixels and no words.

Queries attend to each other in every layer and to the video in every second one. The text side of the
checkpoint (word embeddings, text feed-forward) is carried along; queries never pass it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.model.remoh import RoutedAttention, Routing


@dataclass(frozen=True, slots=True)
class QFormerConfig:
    """Sizes; the defaults are BERT-base. Layers from `routed_from` on are routed as `routing` says."""

    dim: int = 768
    layers: int = 12
    heads: int = 12
    ffn: int = 3072
    video_dim: int = 1408
    cross_every: int = 2
    words: int = 30523
    positions: int = 512
    routed_from: int = 6
    routing: Routing = field(default_factory=Routing)
    eps: float = 1e-12


class FeedForward(nn.Module):
    """Two linear layers with GELU, then the norm of the sum (post-norm)."""

    def __init__(self, config: QFormerConfig) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(config.dim, config.ffn), nn.Linear(config.ffn, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=config.eps)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        out: Tensor = self.norm(x + self.fc2(F.gelu(self.fc1(x))))
        return out


class QFormerLayer(nn.Module):
    """Self-attention, cross-attention in some layers, feed-forward of the queries."""

    def __init__(self, config: QFormerConfig, index: int) -> None:
        super().__init__()
        routing = config.routing if index >= config.routed_from else None
        self.attention = RoutedAttention(config.dim, config.heads, routing)
        self.attention_norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.cross: RoutedAttention | None = None
        if index % config.cross_every == 0:
            self.cross = RoutedAttention(config.dim, config.heads, routing, key_dim=config.video_dim)
            self.cross_norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.text = FeedForward(config)
        self.query = FeedForward(config)

    def forward(self, x: Tensor, video: Tensor, bias: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """One layer.

        Args:
            x: (B, Q, D); video: (B, L, Dv); bias: additive self-attention logits (Q, Q), or None.

        Returns:
            (B, Q, D), and the router scores before the ReLU, one tensor a routed module.
        """
        scores: list[Tensor | None] = []
        key, value = (self.attention.split(part(x)) for part in (self.attention.key, self.attention.value))
        mixed, score = self.attention(x, key, value, bias)
        scores.append(score)
        x = self.attention_norm(x + mixed)
        if self.cross is not None:
            key, value = (self.cross.split(part(video)) for part in (self.cross.key, self.cross.value))
            mixed, score = self.cross(x, key, value, None)
            scores.append(score)
            x = self.cross_norm(x + mixed)
        return self.query(x), [score for score in scores if score is not None]


class QFormer(nn.Module):
    """Queries and video tokens to rows."""

    def __init__(self, config: QFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.words, config.dim)
        self.positions = nn.Embedding(config.positions, config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=config.eps)
        self.layers = nn.ModuleList(QFormerLayer(config, index) for index in range(config.layers))

    def forward(
        self, queries: Tensor, video: Tensor, bias: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Look at a video.

        Args:
            queries: (B, Q, D); video: (B, L, Dv).
            bias: additive self-attention logits (Q, Q): which queries may see which.

        Returns:
            (B, Q, D), and all router scores before the ReLU.
        """
        x, scores = self.norm(queries), list[Tensor]()
        for layer in self.layers:
            x, found = layer(x, video, bias)
            scores += found
        return x, scores


def subject_mask(base: int, subjects: int, each: int, *, off: float = -1e4) -> Tensor:
    """Self-attention logits (Q, Q) that keep subjects apart: the oracle of the batched form.

    Base queries see base queries; a subject's queries see the base's and their own.
    """
    owner = torch.cat([torch.full((base,), -1), torch.arange(subjects).repeat_interleave(each)])
    open_to = (owner[None, :] == -1) | (owner[None, :] == owner[:, None])
    return torch.where(open_to, 0.0, off)
