"""ReMoH: attention whose heads are routed by a ReLU (PVChat, arXiv 2503.17069, eq. 5 and 6); MoH beside it.

Of the heads some are shared and some routed; per token x the gates are

    [a1, a2] = softmax(W_h x),   r_i = ReLU((W_r x + b_r)_i)
    shared heads: a1 (paper) or 2 a1 (identity);   routed heads: a2 r_i (paper) or 2 a2 r_i (identity)

and multiply each head's context before the output projection. `paper` clamps W_h x to [-1, 1] and
W_r x + b_r to [-1, 10]. `identity` starts from W_h = W_r = 0, b_r = 1, hence from gates of exactly 1: the
unrouted function is kept. `moh` is the baseline (MoH, arXiv 2410.11842), with its scale compensation:

    shared heads: 2 a1 h_s softmax(W_s x)_i;   routed heads: 2 a2 k p_i / (sum of the k largest p),

p = softmax(W_r x), for the k heads with the largest p, and 0 for the others. Knows no losses; it hands out
the scores that they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RoutingMode = Literal["none", "identity", "paper", "moh"]


@dataclass(frozen=True, slots=True)
class Routing:
    """How heads are routed: mode, how many heads are shared and routed, how many routed ones `moh` keeps."""

    mode: RoutingMode = "identity"
    shared: int = 8
    routed: int = 4
    top: int = 2


class Router(nn.Module):
    """Gates of one attention module."""

    def __init__(self, dim: int, routing: Routing) -> None:
        super().__init__()
        self.routing = routing
        self.router = nn.Linear(dim, routing.routed, bias=routing.mode != "moh")
        self.alpha = nn.Linear(dim, 2, bias=False)
        self.among_shared = nn.Linear(dim, routing.shared, bias=False) if routing.mode == "moh" else None
        if routing.mode == "identity":
            nn.init.zeros_(self.router.weight)
            nn.init.ones_(self.router.bias)
            nn.init.zeros_(self.alpha.weight)
        else:
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=1e-5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gates of each head.

        Args:
            x: (..., D), query-side hidden states.

        Returns:
            gates (..., heads), shared heads first, and router scores before ReLU or softmax (..., routed).
        """
        mix, scores = self.alpha(x), self.router(x)
        if self.routing.mode == "paper":
            mix, scores = mix.clamp(-1, 1), scores.clamp(-1, 10)
        scale = 1.0 if self.routing.mode == "paper" else 2.0
        alphas = torch.softmax(mix, dim=-1) * scale
        if self.among_shared is None:
            shared = alphas[..., :1].expand(*alphas.shape[:-1], self.routing.shared)
            routed = alphas[..., 1:] * F.relu(scores)
        else:
            share = torch.softmax(self.among_shared(x), dim=-1) * self.routing.shared
            shared, routed = alphas[..., :1] * share, alphas[..., 1:] * self._top(scores)
        return torch.cat([shared, routed], dim=-1), scores

    def _top(self, scores: Tensor) -> Tensor:
        """The largest probabilities, scaled to a mean of 1 among themselves; all others 0."""
        probability = torch.softmax(scores, dim=-1)
        least = probability.topk(self.routing.top, dim=-1).values[..., -1:]
        kept = probability * (probability >= least)
        return self.routing.top * kept / kept.sum(dim=-1, keepdim=True)


class RoutedAttention(nn.Module):
    """Multi-head attention with optional routing; projections have biases, as in BERT."""

    def __init__(self, dim: int, heads: int, routing: Routing | None, key_dim: int | None = None) -> None:
        super().__init__()
        if routing is not None and routing.shared + routing.routed != heads:
            raise ValueError(f"{routing.shared} shared + {routing.routed} routed heads are not {heads}")
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(key_dim or dim, dim)
        self.value = nn.Linear(key_dim or dim, dim)
        self.out = nn.Linear(dim, dim)
        self.router = Router(dim, routing) if routing and routing.mode != "none" else None

    def split(self, x: Tensor) -> Tensor:
        """(..., L, D) to (..., heads, L, D / heads)."""
        return x.view(*x.shape[:-1], self.heads, x.shape[-1] // self.heads).transpose(-3, -2)

    def forward(
        self, x: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, delta: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            x: (..., Q, D) query-side hidden states.
            key, value: (..., heads, L, D / heads), already projected and split.
            bias: additive attention logits, broadcastable to (..., heads, Q, L); None for none.
            delta: (..., Q, D) added to the projected queries (a subject's low-rank change).

        Returns:
            (..., Q, D) after the output projection, and the router's scores (None without a router).
        """
        projected = self.query(x)
        if delta is not None:
            projected = projected + delta
        q = self.split(projected)
        logits = q @ key.transpose(-1, -2) * (q.shape[-1] ** -0.5)
        if bias is not None:
            logits = logits + bias
        context = (torch.softmax(logits, dim=-1) @ value).transpose(-3, -2)
        scores: Tensor | None = None
        if self.router is not None:
            gates, scores = self.router(x)
            context = context * gates.unsqueeze(-1)
        return self.out(context.flatten(-2)), scores
