"""The short loop that fits a read-out. Knows no network; the stages' own loop is `train.fit`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def descend(optimiser: torch.optim.Optimizer, loss: Callable[[], Tensor], steps: int, rate: float) -> None:
    """Steps down the loss of fresh draws, at a rate that falls evenly to zero."""
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * (1 - step / steps)
        optimiser.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
