"""The two stages: only this person's queries and low-rank changes move. Knows no files and no video."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.adapter import Adapter
from train.model.pvchat import PVChat
from train.subject.config import SubjectConfig
from train.subject.footage import Lessons, head_template
from train.windows import EncodedWindow, bridge_inputs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training gave.

    Attributes:
        arrays: the trained `queries`, `delta_a`, `delta_b`.
        instant_loss, trained_loss: binary cross-entropy of presence on held-out windows, natural logarithm.
        steps: optimiser steps done in both stages.
    """

    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]
    instant_loss: float
    trained_loss: float
    steps: int


class SubjectRows(nn.Module):
    """The parameters of one person."""

    def __init__(self, adapter: Adapter, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        start = torch.from_numpy(adapter.arrays["delta_a"].copy())
        down = torch.randn(start.shape, generator=generator) * start.shape[1] ** -0.5
        self.queries = nn.Parameter(torch.from_numpy(adapter.arrays["queries"].copy()))
        self.delta_a = nn.Parameter(down if not start.any() else start)
        self.delta_b = nn.Parameter(torch.from_numpy(adapter.arrays["delta_b"].copy()))
        self.register_buffer("template", torch.from_numpy(head_template(adapter)))
        self.template: Tensor
        self.start = self.queries.detach().clone()

    def presence(self, model: PVChat, windows: list[EncodedWindow]) -> Tensor:
        """Raw presence (B,) of this person in B windows."""

        def each(part: Tensor) -> Tensor:
            return part.expand(len(windows), 1, *part.shape)

        inputs = bridge_inputs(
            windows, each(self.queries), each(self.template), each(self.delta_a), each(self.delta_b)
        )
        out: Tensor = model.bridge(inputs).presence[:, 0]
        return out

    def leash(self) -> Tensor:
        """How far the rows are from where they started: mean square."""
        return (self.queries - self.start).square().mean() + self.delta_b.square().mean()


def learn(
    model: PVChat, adapter: Adapter, stages: list[tuple[str, Lessons, int]], config: SubjectConfig, *,
    until: float, progress: Callable[[int, int], None],
) -> Outcome:  # fmt: skip
    """Train through the stages until their steps or the clock (`time.monotonic()` at `until`) run out.

    Args:
        stages: name, windows and steps of each, in order.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    rows = SubjectRows(adapter, config.seed)
    held = stages[-1][1]
    before = _held_out_loss(model, rows, held)
    optimiser = torch.optim.AdamW(rows.parameters(), lr=config.learning_rate, weight_decay=0.0)
    total, done = sum(count for _, _, count in stages), 0
    for number, (_, windows, count) in enumerate(stages):
        for step in range(count):
            if time.monotonic() > until:
                break
            rng = np.random.default_rng((config.seed, 4, number, step))
            loss = _loss(model, rows, windows, config, rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(rows.parameters(), 1.0)
            optimiser.step()
            done += 1
            progress(done, total)
    progress(total, total)
    names = ("queries", "delta_a", "delta_b")
    arrays = {name: getattr(rows, name).detach().numpy().astype(np.float32) for name in names}
    return Outcome(arrays, before, _held_out_loss(model, rows, held), done)


def _loss(
    model: PVChat, rows: SubjectRows, lessons: Lessons, config: SubjectConfig, rng: np.random.Generator
) -> Tensor:
    half = config.batch // 2 if lessons.others else config.batch
    own = [lessons.own[int(i)] for i in rng.integers(len(lessons.own), size=half)]
    picked = rng.integers(max(1, len(lessons.others)), size=config.batch - half)
    others = [lessons.others[int(i)] for i in picked]
    wanted = torch.tensor([1.0] * len(own) + [0.0] * len(others))
    scores = rows.presence(model, own + others)
    return F.binary_cross_entropy_with_logits(scores, wanted) + config.leash * rows.leash()


@torch.no_grad()
def _held_out_loss(model: PVChat, rows: SubjectRows, lessons: Lessons) -> float:
    own, others = rows.presence(model, lessons.own_held), rows.presence(model, lessons.others_held)
    return float((F.softplus(-own).mean() + F.softplus(others).mean()) / 2)
