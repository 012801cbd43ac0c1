"""Named losses of routed heads: sparsity (SPR), head activation (HAE), and MoH's balance. Knows no model.

Sources: PVChat, arXiv 2503.17069, section 3, and its public code; the L1 form of ReMoE (arXiv 2412.14711);
MoH (arXiv 2410.11842). With routed scores z, gates r = ReLU(z), active rate S = mean(1[z > 0]) and target T:

* SPR = lambda * mean(r); after each optimiser step lambda <- clip(lambda * exp(k (S - T)), 1e-15, 10), so
  lambda grows while more heads fire than wanted. One lambda for all modules, or one for each.
* HAE = w * (exp(2 (T - S)) - 1) where S < T, else 0. As published S is a hard count and has no gradient; here
  it is a straight-through count whose gradient is that of sigmoid(10 z).
* `published`, for comparison: per module SPR = lambda_m * sum_i f_i mean(r_i) with f_i the hard share of
  tokens on which head i fires, k = 0.8, lambda from 1e-8; HAE without a gradient, its w times 1.2 a step
  while S < 1e-4.
* `balance`: 0.01 * E^2 * mean_i(share of tokens that choose i * mean probability of i), of MoH.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

LossForm = Literal["global", "per_module", "published", "balance", "none"]
_LEAST, _MOST = 1e-15, 10.0
_PUBLISHED_RATE, _PUBLISHED_START = 0.8, 1e-8
_BALANCE = 0.01


def active_rate(scores: Sequence[Tensor]) -> Tensor:
    """Share of routed heads that fire, 0..1, over all modules; straight-through gradient."""
    return torch.stack([_rate(score) for score in scores]).mean()


def _rate(score: Tensor) -> Tensor:
    soft = torch.sigmoid(10 * score)
    hard = (score > 0).to(score.dtype)
    return (hard + soft - soft.detach()).mean()


class RoutingLoss(nn.Module):
    """SPR and HAE; every lambda is a buffer that is saved with the checkpoint.

    Args:
        form: one lambda (`global`), one a module, as published, MoH's balance, or no loss at all.
        modules: how many routed modules there are, where each has a lambda of its own.
        target: wanted active rate T, 0..1. rate: k of the lambda update.
        sparsity, activation: whether SPR and HAE count at all (the paper's ablation leaves them out).
        weight: w of HAE. top: k of MoH.
    """

    def __init__(
        self, form: LossForm = "global", *, modules: int = 1, target: float = 0.5, rate: float = 0.1,
        sparsity: bool = True, activation: bool = True, weight: float = 0.5, top: int = 2,
    ) -> None:  # fmt: skip
        super().__init__()
        self.form, self.target, self.top = form, target, top
        self.rate = _PUBLISHED_RATE if form == "published" else rate
        self.sparsity, self.activation = sparsity, activation
        start = _PUBLISHED_START if form == "published" else 1e-4
        own = form in ("per_module", "published")
        self.register_buffer("strength", torch.full((modules,), start) if own else torch.tensor(start))
        self.register_buffer("push", torch.full_like(self.strength, weight), persistent=form == "published")
        self.register_buffer("last_rate", torch.zeros_like(self.strength))
        self.weight = weight
        self.strength: Tensor
        self.push: Tensor
        self.last_rate: Tensor

    def forward(self, scores: Sequence[Tensor]) -> dict[str, Tensor]:
        """`spr` and `hae` (or `balance`) of one forward pass; nothing moves here."""
        zero = self.strength.sum() * 0
        if not scores or self.form == "none":
            return {"spr": zero, "hae": zero}
        if self.form == "balance":
            return {"balance": _BALANCE * torch.stack([self._balance(score) for score in scores]).mean()}
        rates = self._rates(scores)
        if self.training:
            self.last_rate.copy_(rates.detach())
        spr, hae = self._spr(scores), self._hae(rates)
        return {"spr": spr if self.sparsity else zero, "hae": hae if self.activation else zero}

    @torch.no_grad()
    def after_step(self) -> None:
        """Move every lambda once per optimiser step; does nothing in evaluation."""
        if self.training:
            step = torch.exp(self.rate * (self.last_rate - self.target))
            self.strength.mul_(step).clamp_(_LEAST, _MOST)
            dead = self.last_rate < 1e-4
            self.push.copy_(torch.where(dead, (self.push * 1.2).clamp(max=_MOST), self.weight))

    def _rates(self, scores: Sequence[Tensor]) -> Tensor:
        """The active rate, or (modules,) one each; as published without a gradient."""
        if self.form == "global":
            return active_rate(scores)
        rates = torch.stack([_rate(score) for score in scores])
        each = rates.view(len(self.strength), -1).mean(dim=1)
        return each.detach() if self.form == "published" else each

    def _spr(self, scores: Sequence[Tensor]) -> Tensor:
        if self.form == "published":
            sums = torch.stack([_weighted(score) for score in scores])
            return (self.strength * sums.view(len(self.strength), -1).mean(dim=1)).sum()
        gates = torch.stack([torch.relu(score).mean() for score in scores])
        if self.form == "global":
            return self.strength * gates.mean()
        return (self.strength * gates.view(len(self.strength), -1).mean(dim=1)).mean()

    def _hae(self, rates: Tensor) -> Tensor:
        short = (self.target - rates).clamp(min=0)
        each = torch.exp(2 * short) - 1
        return (self.push * each).sum() if self.form == "published" else self.weight * each.mean()

    def _balance(self, score: Tensor) -> Tensor:
        probability = torch.softmax(score, dim=-1)
        chosen = probability >= probability.topk(self.top, dim=-1).values[..., -1:]
        tokens = chosen.flatten(0, -2).to(score.dtype).mean(dim=0)
        return (tokens * probability.flatten(0, -2).mean(dim=0)).mean() * score.shape[-1] ** 2


def _weighted(score: Tensor) -> Tensor:
    """Sum over heads of the share of tokens on which one fires times its mean gate."""
    gates = torch.relu(score).flatten(0, -2)
    return ((gates > 0).to(gates.dtype).mean(dim=0) * gates.mean(dim=0)).sum()
