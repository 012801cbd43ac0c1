"""Named losses of the bridge: sparsity (SPR) and head activation (HAE) of ReMoH. Knows no model.

Sources: PVChat, arXiv 2503.17069, section 3; the L1 form of ReMoE (arXiv 2412.14711). With routed scores z,
gates r = ReLU(z), active rate S = mean(1[z > 0]) and target T:

* SPR = lambda * mean(r); after each optimiser step lambda <- clip(lambda * exp(k (S - T)), 1e-15, 10), so
  lambda grows while more heads fire than wanted.
* HAE = w * (exp(2 (T - S)) - 1) where S < T, else 0. As published S is a hard count and has no gradient; here
  it is a straight-through count whose gradient is that of sigmoid(10 z).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def active_rate(scores: Sequence[Tensor]) -> Tensor:
    """Share of routed heads that fire, 0..1, over all modules; straight-through gradient."""
    rates = []
    for score in scores:
        soft = torch.sigmoid(10 * score)
        hard = (score > 0).to(score.dtype)
        rates.append((hard + soft - soft.detach()).mean())
    return torch.stack(rates).mean()


class RoutingLoss(nn.Module):
    """SPR and HAE with one global lambda, a buffer that is saved with the checkpoint.

    Args:
        target: wanted active rate T, 0..1.
        rate: k of the lambda update.
        weight: w of HAE.
    """

    def __init__(self, target: float = 0.5, rate: float = 0.1, weight: float = 0.5) -> None:
        super().__init__()
        self.target = target
        self.rate = rate
        self.weight = weight
        self.register_buffer("strength", torch.tensor(1e-4))
        self.register_buffer("last_rate", torch.tensor(0.0))
        self.strength: Tensor
        self.last_rate: Tensor

    def forward(self, scores: Sequence[Tensor]) -> dict[str, Tensor]:
        """`spr` and `hae` of one forward pass; lambda does not move here."""
        if not scores:
            zero = self.strength * 0
            return {"spr": zero, "hae": zero}
        rate = active_rate(scores)
        if self.training:
            self.last_rate.copy_(rate.detach())
        gates = torch.stack([torch.relu(score).mean() for score in scores]).mean()
        short = (self.target - rate).clamp(min=0)
        return {"spr": self.strength * gates, "hae": self.weight * (torch.exp(2 * short) - 1)}

    @torch.no_grad()
    def after_step(self) -> None:
        """Move lambda once per optimiser step; does nothing in evaluation."""
        if self.training:
            step = torch.exp(self.rate * (self.last_rate - self.target))
            self.strength.mul_(step).clamp_(1e-15, 10.0)
