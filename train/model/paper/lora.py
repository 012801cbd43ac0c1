"""Linear layers with a low-rank change (LoRA, arXiv 2106.09685) under peft's old tensor names.

y = x W^T + b + scale x alpha / rank x (x A^T) B^T. `scale` is 1 in training and may be lowered when the model
answers (PLLaVA, arXiv 2404.16994, section 3.3). Knows no model.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LoraLinear(nn.Linear):
    """A linear layer whose state is `weight`, `lora_A.default.weight` and `lora_B.default.weight`."""

    def __init__(
        self, inputs: int, outputs: int, *, rank: int, alpha: float, dropout: float, bias: bool = False
    ) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(inputs, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, outputs, bias=False)})
        self.dropout = nn.Dropout(dropout)
        self.strength, self.scale = alpha / rank, 1.0
        nn.init.zeros_(self._up.weight)

    @property
    def _down(self) -> nn.Linear:
        return cast(nn.Linear, self.lora_A["default"])

    @property
    def _up(self) -> nn.Linear:
        return cast(nn.Linear, self.lora_B["default"])

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        low: Tensor = self._up(self._down(self.dropout(x)))
        return F.linear(x, self.weight, self.bias) + low * (self.strength * self.scale)

    @torch.no_grad()
    def fold(self) -> None:
        """Move the change into the weight, in float64, rounded once; the layer computes the same after."""
        up, down = self._up.weight, self._down.weight
        change = up.double() @ down.double() * (self.strength * self.scale)
        self.weight.copy_((self.weight.double() + change).to(self.weight.dtype))
        up.zero_()


def add_lora(
    module: nn.Module, targets: frozenset[str], *, rank: int, alpha: float, dropout: float
) -> nn.Module:
    """Replace every linear layer with one of these last names, in place; its weight is kept."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if name in targets and isinstance(layer, nn.Linear) and not isinstance(layer, LoraLinear):
                with torch.device(layer.weight.device):
                    fresh = LoraLinear(
                        layer.in_features, layer.out_features, rank=rank, alpha=alpha, dropout=dropout,
                        bias=layer.bias is not None,
                    )  # fmt: skip
                fresh.weight, fresh.bias = layer.weight, layer.bias
                setattr(parent, name, fresh.to(layer.weight.dtype))
    return module


def set_lora_scale(module: nn.Module, scale: float) -> None:
    """How strongly all low-rank changes count: 1 as trained, 0 not at all."""
    for layer in module.modules():
        if isinstance(layer, LoraLinear):
            layer.scale = scale
