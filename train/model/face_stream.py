"""A face stream beside the general rows, after FaVChat (arXiv 2503.09158): our code, not its weights.

Face tokens come at several granularities. Bottom-up, each level is read by what the prompt has found so far:

    c_0 = prompt;   c_i = attend(prompt -> Linear(attend(c_(i-1) -> level_i)))

and a small Q-Former with prompt-conditioned queries reads c_n. An adapter fuses its rows with the general
ones: `moe` adds soft experts over both, `weight_adapter` weighs the sources by a softmax over two scalars.
Where no face is valid the stream contributes exactly nothing. Knows no encoder and no language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.model.remoh import RoutedAttention

FusionMode = Literal["moe", "weight_adapter"]
Stage = Literal["summaries", "questions", "emotions"]
_OFF = -1e4
LEARNING: dict[Stage, tuple[str, ...]] = {
    "summaries": ("encoders", "adapter"),
    "questions": ("encoders", "qformer"),
    "emotions": ("adapter", "qformer"),
}
"""Which parts learn in which of the three stages, as FaVChat's figure has it; all others are frozen."""


@dataclass(frozen=True, slots=True)
class FaceStreamConfig:
    """Sizes. `levels`: widths of the face tokens, lowest level first. `experts`: of mode `moe`."""

    dim: int = 192
    heads: int = 12
    levels: tuple[int, ...] = (62, 384, 128)
    queries: int = 16
    experts: int = 4
    mode: FusionMode = "moe"

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError("a face stream needs at least one level of tokens")


@dataclass(frozen=True, slots=True)
class Fused:
    """What the stream gives.

    Attributes:
        rows: (B, Q, D), the general rows with what faces add.
        weights: (B, 2) of the general and the face source, sum 1; (1, 0) without a face.
        load: (E,) mean share of each expert, sum 1; empty in mode `weight_adapter`.
    """

    rows: Tensor
    weights: Tensor
    load: Tensor


class Level(nn.Module):
    """One granularity: tokens to a common width, read by what was found so far, then by the prompt."""

    def __init__(self, width: int, dim: int, heads: int) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Linear(width, dim), nn.GELU(), nn.Linear(dim, dim))
        self.read = RoutedAttention(dim, heads, None)
        self.between = nn.Linear(dim, dim)
        self.ask = RoutedAttention(dim, heads, None)

    def forward(self, found: Tensor, prompt: Tensor, tokens: Tensor, closed: Tensor) -> Tensor:
        """(B, L, D), (B, L, D), (B, M, width) and a mask (B, 1, 1, M) to (B, L, D)."""
        seen = self.between(attend(self.read, found, self.up(tokens), closed))
        return attend(self.ask, prompt, seen, None)


class FaceStream(nn.Module):
    """Face tokens and general rows to fused rows."""

    def __init__(self, config: FaceStreamConfig) -> None:
        super().__init__()
        dim = config.dim
        self.config = config
        self.encoders = nn.ModuleList(Level(width, dim, config.heads) for width in config.levels)
        self.queries = nn.Parameter(torch.randn(config.queries, dim) * 0.2)
        self.condition = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.former = RoutedAttention(dim, config.heads, None)
        self.former_norm = nn.LayerNorm(dim)
        self.of_general, self.of_face, self.of_prompt = (nn.Linear(dim, dim) for _ in range(3))
        self.gate = nn.Linear(dim, config.experts if config.mode == "moe" else 1)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * dim, dim), nn.GELU(), nn.Linear(dim, dim))
            for _ in range(config.experts if config.mode == "moe" else 0)
        )

    def forward(self, general: Tensor, levels: Sequence[Tensor], valid: Tensor, prompt: Tensor) -> Fused:
        """Fuse.

        Args:
            general: (B, Q, D). levels: tokens of each granularity, (B, M, width). valid: (B, M) 1 or 0.
            prompt: (B, L, D), what is asked.

        Raises:
            ValueError: another number of levels than configured.
        """
        if len(levels) != len(self.encoders):
            raise ValueError(f"{len(self.encoders)} levels of face tokens are wanted, got {len(levels)}")
        closed = (1 - valid)[:, None, None, :] * _OFF
        found = prompt
        for level, tokens in zip(self.encoders, levels, strict=True):
            found = level(found, prompt, tokens, closed)
        queries = self.queries + self.condition(prompt.mean(dim=1, keepdim=True))
        face = self.former_norm(queries + attend(self.former, queries, found, None))
        return self._fuse(general, face, prompt, valid.amax(dim=-1))

    def _fuse(self, general: Tensor, face: Tensor, prompt: Tensor, somebody: Tensor) -> Fused:
        asked = self.of_prompt(prompt.mean(dim=1))
        of_general = F.gelu(self.of_general(general.mean(dim=1)) + asked)
        of_face = F.gelu(self.of_face(face.mean(dim=1)) + asked)
        there = somebody[:, None]
        if self.config.mode == "weight_adapter":
            scalars = torch.cat([self.gate(of_general), self.gate(of_face)], dim=-1)
            weights = torch.softmax(scalars, dim=-1)
            alone = torch.tensor([1.0, 0.0]).to(weights)
            weights = torch.where(there > 0, weights, alone)
            rows = weights[:, :1, None] * general + weights[:, 1:, None] * face
            return Fused(torch.where(there[..., None] > 0, rows, general), weights, weights.new_zeros(0))
        shares = torch.softmax(self.gate(of_general + of_face), dim=-1)
        both = torch.cat([general, face], dim=-1)
        added = torch.stack([expert(both) for expert in self.experts], dim=1)
        change = (shares[..., None, None] * added).sum(dim=1) * there[..., None]
        size, moved = general.norm(dim=(1, 2)), change.norm(dim=(1, 2))
        of_faces = moved / (size + moved).clamp(min=1e-6)
        return Fused(general + change, torch.stack([1 - of_faces, of_faces], dim=-1), shares.mean(dim=0))

    def learn_only(self, stage: Stage) -> None:
        """Freeze what does not learn in a stage."""
        parts: dict[str, list[nn.Module]] = {
            "encoders": [self.encoders],
            "qformer": [self.condition, self.former, self.former_norm],
            "adapter": [self.of_general, self.of_face, self.of_prompt, self.gate, self.experts],
        }
        for name, modules in parts.items():
            for module in modules:
                module.requires_grad_(name in LEARNING[stage])
        self.queries.requires_grad_("qformer" in LEARNING[stage])


def attend(attention: RoutedAttention, x: Tensor, tokens: Tensor, closed: Tensor | None) -> Tensor:
    """(B, L, D) that look at (B, M, D); `closed` is added to the attention logits."""
    key, value = attention.split(attention.key(tokens)), attention.split(attention.value(tokens))
    out: Tensor = attention(x, key, value, closed)[0]
    return out
