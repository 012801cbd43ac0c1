"""Shipped engine files against torch. Knows no bundle; the engines run through the runtime's own code.

Trained weights may leave a branch at rest (a router of zeros, a subject without low-rank deltas); then the
comparison would not notice that the engine lacks it. `perturb` makes a model in which every part moves.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from export.samples import sample_inputs
from export.specs import DYNAMIC, TORCH_ROLES, torch_specs
from export.trace import trace
from export.wrappers import Arrays, Floats, engine_modules, run_torch
from runtime.contract.bundle import EngineSpec
from runtime.contract.errors import BundleError
from runtime.engines.base import Engine
from runtime.engines.ort import CPU, OrtEngine
from train.model.pvchat import ModelConfig, PVChat

SIZES = (1, 2, 5, 8)
EXAMPLE_SIZE = 3
_MOVED = 0.2
_AT_REST = 0.1


@dataclass(frozen=True, slots=True)
class Apart:
    """The largest absolute difference of one output."""

    name: str
    max_abs: float


def load_engine(role: str, engine: bytes, specs: EngineSpec) -> Engine:
    """An engine as the box loads it; it comes up on the CPU or not at all."""
    return OrtEngine(role, engine, specs, provider=CPU, threads=1)


def perturb(model: PVChat, seed: int) -> PVChat:
    """A copy with noise on every weight and on the statistics of batch normalisation, exact in float16."""
    moved = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in moved.parameters():
            spread = float(weight.std()) if weight.numel() > 1 else 0.0
            sigma = _MOVED * spread if spread > 1e-3 else _AT_REST
            weight.add_(torch.randn(weight.shape, generator=generator) * sigma)
        for name, tensor in moved.named_buffers():
            if name.endswith("running_mean"):
                tensor.add_(torch.randn(tensor.shape, generator=generator) * _AT_REST)
            elif name.endswith("running_var"):
                tensor.mul_(torch.exp(torch.randn(tensor.shape, generator=generator) * _MOVED))
        for tensor in moved.state_dict().values():  # what a checkpoint stores, in the precision it stores
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
    return moved.eval()


def made_inputs(config: ModelConfig, role: str, seed: int) -> list[dict[str, Floats]]:
    """Inputs of sizes other than the one the graph was traced with."""
    sizes = SIZES if DYNAMIC[role] else (1, 2)
    return [sample_inputs(config, role, size=size, seed=seed + size) for size in sizes]


def compare(role: str, engine: Engine, inputs: Arrays, wanted: Arrays) -> list[Apart]:
    """Run an engine and hold its outputs against `wanted`.

    Raises:
        BundleError: an output is missing or has another shape.
    """
    outputs = engine.run(dict(inputs))
    found = []
    for name, expected in wanted.items():
        got = outputs.get(name)
        if got is None or got.shape != expected.shape:
            shape = None if got is None else got.shape
            raise BundleError(f"engine {role}: {name} has the shape {shape}, torch {expected.shape}.")
        apart = np.abs(got.astype(np.float64) - expected.astype(np.float64))
        found.append(Apart(f"{role}.{name}", float(apart.max(initial=0.0))))
    return found


def check_engines(
    model: PVChat,
    config: ModelConfig,
    engines: Mapping[str, Engine],
    inputs: Mapping[str, Sequence[Arrays]],
    *,
    max_abs: float,
) -> dict[str, float]:
    """Compare vision, head, bridge and enrol with torch.

    Args:
        engines: by role; roles that are not in it are not compared.
        inputs: by role, any number of inputs.

    Returns:
        the largest difference of each output, as `engine.output`.

    Raises:
        BundleError: above the tolerance, naming the output and both numbers.
    """
    specs, modules = torch_specs(config), engine_modules(model)
    worst: dict[str, float] = {}
    for role, engine in engines.items():
        for arrays in inputs[role]:
            for apart in compare(role, engine, arrays, run_torch(modules[role], specs[role], arrays)):
                worst[apart.name] = max(worst.get(apart.name, 0.0), apart.max_abs)
    refuse_apart(worst, max_abs)
    return worst


def refuse_apart(worst: Mapping[str, float], max_abs: float) -> None:
    """Raise where a difference is above the tolerance, or no number at all.

    Raises:
        BundleError: naming the worst output.
    """
    above = {name: apart for name, apart in worst.items() if not apart <= max_abs}
    if above:
        name = max(above, key=lambda key: above[key])
        raise BundleError(
            f"engine output {name} differs from torch by {above[name]:.3g}, allowed is {max_abs:g}.",
            "The export is wrong, nothing was packed: see `export/parity.py`.",
        )


def prove_perturbed(
    model: PVChat, config: ModelConfig, *, opset: int, max_abs: float, seed: int
) -> dict[str, Any]:
    """Export a perturbed copy and compare it, so that no part of the export goes unseen.

    Raises:
        BundleError: above the tolerance.
    """
    moved, specs = perturb(model, seed), torch_specs(config)
    modules = engine_modules(moved)
    engines = {}
    for role in TORCH_ROLES:
        example = sample_inputs(config, role, size=EXAMPLE_SIZE, seed=seed)
        traced = trace(role, modules[role], specs[role], example, opset=opset)
        engines[role] = load_engine(role, traced, specs[role])
    inputs = {role: made_inputs(config, role, seed) for role in TORCH_ROLES}
    return dict(check_engines(moved, config, engines, inputs, max_abs=max_abs))
