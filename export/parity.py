"""Shipped engine files against torch. Knows no bundle; the engines run through the runtime's own code.

Trained weights may leave a branch at rest (a router of zeros, a subject without low-rank deltas); then the
comparison would not notice that the engine lacks it. `perturb` makes a model in which every part moves.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from export.config import ExportConfig
from export.samples import sample_inputs
from export.shipped import shipped_modules
from export.specs import DYNAMIC, TORCH_ROLES, torch_specs
from export.trace import trace
from export.wrappers import Arrays, Floats, engine_modules, run_torch
from runtime.contract.bundle import EngineSpec
from runtime.contract.errors import BundleError
from runtime.engines.base import Array, Engine
from runtime.engines.ort import CPU, OrtEngine
from runtime.session.models import open_engine
from train.model.pvchat import ModelConfig, PVChat

SIZES = (1, 2, 5, 8)
EXAMPLE_SIZE = 3
_WIDE = 32
_MOVED = 0.2
_AT_REST = 0.1


@dataclass(frozen=True, slots=True)
class Apart:
    """How far one output is from torch: the largest absolute difference, and the lowest cosine of a row.

    A row is the last axis where that is wide enough to have a direction, else the whole output.
    """

    name: str
    max_abs: float
    cosine: float


def load_engine(role: str, engine: bytes, specs: EngineSpec) -> OrtEngine:
    """An engine as the box loads it; it comes up on the CPU or not at all."""
    return open_engine(role, engine, specs, provider=CPU, threads=1)


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
        a, b = got.astype(np.float64), expected.astype(np.float64)
        found.append(Apart(f"{role}.{name}", float(np.abs(a - b).max(initial=0.0)), _least_cosine(a, b)))
    return found


def _least_cosine(got: Array, expected: Array) -> float:
    wide = expected.ndim > 0 and expected.shape[-1] >= _WIDE
    a, b = (one.reshape(-1, expected.shape[-1] if wide else expected.size) for one in (got, expected))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both = lengths > 0
    cosine = np.where(both, (a * b).sum(axis=1) / np.where(both, lengths, 1.0), (a == b).all(axis=1))
    return float(cosine.min(initial=1.0))


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
    worst: dict[str, float] = {}
    for apart in _all_apart(model, config, engines, inputs):
        worst[apart.name] = max(worst.get(apart.name, 0.0), apart.max_abs)
    refuse_apart(worst, max_abs)
    return worst


def check_half(
    model: PVChat,
    config: ModelConfig,
    engines: Mapping[str, Engine],
    inputs: Mapping[str, Sequence[Arrays]],
    *,
    settings: ExportConfig,
) -> dict[str, float]:
    """Compare engines that compute in float16 with torch in float32; see `check_engines`.

    Returns:
        the lowest cosine of each output's rows, as `engine.output`.

    Raises:
        BundleError: below its limit.
    """
    least: dict[str, float] = {}
    for apart in _all_apart(model, config, engines, inputs):
        least[apart.name] = min(least.get(apart.name, 1.0), apart.cosine)
    for name, cosine in least.items():
        limit = settings.min_cosine(name.split(".")[0])
        if not cosine >= limit:
            raise BundleError(
                f"engine output {name} has the cosine {cosine:.5f} with torch, wanted is {limit:g}.",
                "Take the engine out of `half` in the export's configuration.",
            )
    return least


def _all_apart(
    model: PVChat, config: ModelConfig, engines: Mapping[str, Engine], inputs: Mapping[str, Sequence[Arrays]]
) -> Iterator[Apart]:
    specs, modules = torch_specs(config), engine_modules(model)
    for role, engine in engines.items():
        for arrays in inputs[role]:
            yield from compare(role, engine, arrays, run_torch(modules[role], specs[role], arrays))


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


def check_all(
    model: PVChat,
    sizes: ModelConfig,
    files: Mapping[str, bytes],
    inputs: Mapping[str, Sequence[Arrays]],
    settings: ExportConfig,
) -> dict[str, Any]:
    """Every engine held to what its precision allows, through the runtime's own code.

    Returns:
        `max_abs` by output of the float32 engines, `half_min_cosine` of the others, if there are any.

    Raises:
        BundleError: outside the tolerance.
    """
    specs = torch_specs(sizes)
    engines = {role: load_engine(role, raw, specs[role]) for role, raw in files.items()}
    half = {role: engine for role, engine in engines.items() if role in settings.half}
    full = {role: engine for role, engine in engines.items() if role not in half}
    report: dict[str, Any] = {"provider": _one({engine.provider for engine in engines.values()})}
    report |= {"max_abs": check_engines(model, sizes, full, inputs, max_abs=settings.max_abs)}
    if half:
        report["half_min_cosine"] = check_half(model, sizes, half, inputs, settings=settings)
    return report


def _one(providers: set[str]) -> str:
    """The provider that all engines ran on.

    Raises:
        BundleError: they ran on several, or on another than was asked for.
    """
    if providers != {CPU}:
        raise BundleError(f"the engines ran on {', '.join(sorted(providers))}, not on {CPU}.")
    return CPU


def prove_perturbed(model: PVChat, sizes: ModelConfig, settings: ExportConfig) -> dict[str, Any]:
    """Export a perturbed copy and compare it, so that no part of the export goes unseen; as `check_all`.

    Raises:
        BundleError: outside the tolerance.
    """
    moved, specs = perturb(model, settings.seed), torch_specs(sizes)
    modules = shipped_modules(moved, settings)
    files = {}
    for role in TORCH_ROLES:
        example = sample_inputs(sizes, role, size=EXAMPLE_SIZE, seed=settings.seed)
        files[role] = trace(role, modules[role], specs[role], example, opset=settings.opset)
    inputs = {role: made_inputs(sizes, role, settings.seed) for role in TORCH_ROLES}
    return check_all(moved, sizes, files, inputs, settings)
