"""The training loop: optimiser, schedule, clipping, resumable checkpoints. Knows no model and no data.

The batch of step k is a function of (seed, k) alone, and dropout of k, so a run that was killed and resumed
sees the same as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class FitConfig:
    """One run of the loop.

    Attributes:
        steps: optimiser steps.
        learning_rate: of the first group; others are relative to it.
        warmup_steps: linear warm-up, then cosine to 5 %.
        weight_decay: of matrices; vectors have none.
        clip: largest gradient norm.
        save_every_s: seconds between checkpoints.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.05
    clip: float = 1.0
    save_every_s: float = 300.0


Losses = Mapping[str, Tensor]
Progress = Callable[[int, Mapping[str, float], float], None]


def parameter_groups(scaled: Sequence[tuple[nn.Module, float]], config: FitConfig) -> list[dict[str, object]]:
    """Optimiser groups: one learning-rate scale a module, decay only where a parameter is a matrix."""
    groups: list[dict[str, object]] = []
    for module, scale in scaled:
        chosen = [p for p in module.parameters() if p.requires_grad]
        for decay, picked in (
            (config.weight_decay, [p for p in chosen if p.ndim > 1]),
            (0.0, [p for p in chosen if p.ndim <= 1]),
        ):
            if picked:
                rate = config.learning_rate * scale
                groups.append({"params": picked, "lr": rate, "base_lr": rate, "weight_decay": decay})
    return groups


def schedule(step: int, config: FitConfig) -> float:
    """Factor on the learning rate at a step: linear warm-up, cosine down to 0.05."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def fit(
    module: nn.Module,
    scaled: Sequence[tuple[nn.Module, float]],
    loss: Callable[[int], Losses],
    config: FitConfig,
    *,
    checkpoint: Path | None = None,
    metrics: Path | None = None,
    progress: Progress | None = None,
    after_step: Callable[[], None] | None = None,
    log_every: int = 50,
) -> None:
    """Minimise the sum of `loss(step)`; resumes from `checkpoint` when it is there.

    Args:
        module: everything that a checkpoint holds.
        scaled: modules to train, each with a factor on the learning rate.
        metrics: JSON lines are appended here, one every `log_every` steps.
        after_step: called after each optimiser step.
    """
    groups = parameter_groups(scaled, config)
    trained = [p for group in groups for p in group["params"]]  # type: ignore[attr-defined]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    start = _resume(checkpoint, module, optimiser) if checkpoint else 0
    began = saved = time.monotonic()
    sums: dict[str, float] = {}
    for step in range(start, config.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["base_lr"] * schedule(step, config)
        torch.manual_seed(step)
        parts = loss(step)
        total = torch.stack([part.float() for part in parts.values()]).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, config.clip)
        optimiser.step()
        if after_step:
            after_step()
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + float(part.detach())
        if (step + 1) % log_every == 0 or step + 1 == config.steps:
            count = log_every if (step + 1) % log_every == 0 else (step + 1) % log_every
            means = {name: value / count for name, value in sums.items()}
            sums = {}
            _report(step + 1, means, time.monotonic() - began, metrics, progress)
        if checkpoint and time.monotonic() - saved > config.save_every_s:
            _save(checkpoint, module, optimiser, step + 1)
            saved = time.monotonic()
    if checkpoint:
        _save(checkpoint, module, optimiser, config.steps)


def _report(
    step: int, means: Mapping[str, float], seconds: float, metrics: Path | None, progress: Progress | None
) -> None:
    if progress:
        progress(step, means, seconds)
    if metrics:
        with metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, "seconds": round(seconds, 1), **means}) + "\n")


def _save(path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
    tensors = {f"model.{name}": value.contiguous() for name, value in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            kept = value.contiguous() if isinstance(value, Tensor) else torch.tensor(value)
            tensors[f"optimiser.{index}.{name}"] = kept
    temporary = path.with_suffix(".tmp")
    save_file(tensors, temporary, metadata={"step": str(step)})
    temporary.replace(path)


def _resume(path: Path, module: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    tensors = load_file(path)
    module.load_state_dict(
        {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    )
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    whole = optimiser.state_dict()
    whole["state"] = state
    optimiser.load_state_dict(whole)
    return read_step(path)


def read_step(path: Path) -> int:
    """How many steps a checkpoint has behind it; 0 when there is none."""
    if not path.exists():
        return 0
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as stream:
        return int(stream.metadata()["step"])
