"""The two stages: only this person's queries and low-rank changes move. Knows no files and no video.

One clip says nothing of other days, so training may mend what the instant adapter gets wrong, and leaves
alone what it gets right: such windows keep their evidence (learning without forgetting: Li and Hoiem, 2016).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.adapter import Adapter
from train.model.pvchat import PVChat
from train.subject.config import SubjectConfig
from train.subject.evidence import Evidence
from train.subject.footage import Lessons, head_template
from train.windows import EncodedWindow, bridge_inputs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training gave.

    Attributes:
        arrays: the trained `queries`, `delta_a`, `delta_b`.
        instant_loss, trained_loss: binary cross-entropy of presence on held-out windows, natural logarithm;
            of raw scores where nothing says how the box judges.
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

    def presence(self, model: PVChat, windows: Sequence[EncodedWindow]) -> Tensor:
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


@dataclass(frozen=True, slots=True)
class _Side:
    """Windows that all show the person, or all do not, and their evidence before training (N,)."""

    windows: list[EncodedWindow]
    start: Tensor
    present: bool


def learn(
    model: PVChat, adapter: Adapter, stages: list[tuple[str, Lessons, int]], config: SubjectConfig, *,
    evidence: Evidence | None, until: float, progress: Callable[[int, int], None],
) -> Outcome:  # fmt: skip
    """Train through the stages until their steps or the clock (`time.monotonic()` at `until`) run out.

    Args:
        stages: name, windows and steps of each, in order.
        evidence: how the box judges; None: raw scores are pushed apart, whatever they say already, as the
            paper does.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    rows = SubjectRows(adapter, config.seed)
    held = stages[-1][1]
    before = _held_out_loss(model, rows, held, evidence)
    sides = [_sides(model, rows, lessons, evidence) for _, lessons, _ in stages]
    optimiser = torch.optim.AdamW(rows.parameters(), lr=config.learning_rate, weight_decay=0.0)
    total, done = sum(count for _, _, count in stages), 0
    for number, (_, _, count) in enumerate(stages):
        for step in range(count):
            if time.monotonic() > until:
                break
            rng = np.random.default_rng((config.seed, 4, number, step))
            loss = _loss(model, rows, sides[number], config, evidence, rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(rows.parameters(), 1.0)
            optimiser.step()
            done += 1
            progress(done, total)
    progress(total, total)
    names = ("queries", "delta_a", "delta_b")
    arrays = {name: getattr(rows, name).detach().numpy().astype(np.float32) for name in names}
    return Outcome(arrays, before, _held_out_loss(model, rows, held, evidence), done)


@torch.no_grad()
def _sides(
    model: PVChat, rows: SubjectRows, lessons: Lessons, evidence: Evidence | None
) -> tuple[_Side, ...]:
    """Who is learned from, the person first."""
    return tuple(
        _Side(windows, _judged(model, rows, windows, evidence), present)
        for windows, present in ((lessons.own, True), (lessons.others, False))
        if windows
    )


def _judged(
    model: PVChat, rows: SubjectRows, windows: Sequence[EncodedWindow], evidence: Evidence | None
) -> Tensor:
    scores = rows.presence(model, windows)
    return scores if evidence is None else evidence.of(scores, windows)


def _loss(
    model: PVChat, rows: SubjectRows, sides: Sequence[_Side], config: SubjectConfig,
    evidence: Evidence | None, rng: np.random.Generator,
) -> Tensor:  # fmt: skip
    """Cross-entropy of what is not settled, squared change of what is, and the leash."""
    half = config.batch // 2 if len(sides) > 1 else config.batch
    windows: list[EncodedWindow] = []
    starts, wanted = [], []
    for side, size in zip(sides, (half, config.batch - half), strict=False):
        picked = rng.integers(len(side.windows), size=size)
        windows += [side.windows[int(index)] for index in picked]
        starts.append(side.start[picked])
        wanted.append(torch.full((size,), float(side.present)))
    start, present = torch.cat(starts), torch.cat(wanted)
    judged = _judged(model, rows, windows, evidence)
    each = F.binary_cross_entropy_with_logits(judged, present, reduction="none")
    if evidence is not None:
        each = torch.where(evidence.settled(start, present), (judged - start).square(), each)
    return each.mean() + config.leash * rows.leash()


@torch.no_grad()
def _held_out_loss(model: PVChat, rows: SubjectRows, lessons: Lessons, evidence: Evidence | None) -> float:
    own, others = (_judged(model, rows, part, evidence) for part in (lessons.own_held, lessons.others_held))
    return float((F.softplus(-own).mean() + F.softplus(others).mean()) / 2)
