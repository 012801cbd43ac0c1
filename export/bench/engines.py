"""Modules and engines to be timed: torch's, the same compiled, and ours in ONNX Runtime. Knows no timing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from export.config import ExportConfig
from export.fuse import Cut, fused_bridge, routed_attentions
from export.parity import compare
from export.samples import sample_inputs
from export.specs import torch_specs
from export.trace import trace
from export.wrappers import Arrays, Floats, WindowBridge, run_torch
from runtime.contract.bundle import EngineSpec
from runtime.contract.errors import BundleError
from runtime.engines.ort import CPU, OrtEngine
from train.model.bridge import Bridge
from train.model.pvchat import ModelConfig
from train.model.vision import VisionEncoder

_EXAMPLE = 3
PARITY = 1e-3
"""Random weights at real sizes are many layers of noise; what ships is held to 1e-4."""


@dataclass(frozen=True, slots=True)
class Part:
    """One network as torch has it, with inputs."""

    role: str
    module: nn.Module
    specs: EngineSpec
    inputs: Arrays

    def eager(self) -> dict[str, Floats]:
        """Run torch as it is."""
        return run_torch(self.module, self.specs, self.inputs)


def vision_part(sizes: ModelConfig, frames: int) -> Part:
    """The scene encoder on some frames."""
    module = _moved(VisionEncoder(sizes.vision))
    return Part(
        "vision", module, torch_specs(sizes)["vision"], sample_inputs(sizes, "vision", size=frames, seed=1)
    )


def bridge_part(sizes: ModelConfig, subjects: int) -> Part:
    """The bridge on one window."""
    module = WindowBridge(random_bridge(sizes)).eval()
    return Part(
        "bridge", module, torch_specs(sizes)["bridge"], sample_inputs(sizes, "bridge", size=subjects, seed=2)
    )


def random_bridge(sizes: ModelConfig) -> Bridge:
    """A bridge whose routers are at work."""
    bridge = _moved(Bridge(sizes.bridge))
    if not isinstance(bridge, Bridge):
        raise TypeError("a bridge stays one")
    return bridge


def compiled(part: Part) -> Callable[[], object]:
    """The same through `torch.compile`.

    Raises:
        Exception: whatever its back end raises on a machine that lacks something.
    """
    fast = torch.compile(part.module)
    tensors = [torch.from_numpy(part.inputs[spec.name]) for spec in part.specs.inputs]

    def run() -> object:
        with torch.inference_mode():
            return fast(*tensors)

    run()
    return run


def exported(part: Part, module: nn.Module) -> bytes:
    """The ONNX file of `module`, which has the part's inputs and outputs."""
    example = {
        name: np.repeat(array[:1], _EXAMPLE, axis=0) if _free(part.specs, name) else array
        for name, array in part.inputs.items()
    }
    return trace(part.role, module, part.specs, example, opset=ExportConfig().opset)


def loaded(
    part: Part,
    raw: bytes,
    *,
    threads: int,
    oracle: nn.Module | None = None,
    least_cosine: float | None = None,
) -> OrtEngine:
    """An ONNX file loaded as on the box; it must agree with torch, or it is not timed.

    Args:
        oracle: what it must compute; None: the part itself.
        least_cosine: of a row, for what is rounded; None: it must be nearly equal.

    Raises:
        BundleError: it does not agree.
    """
    engine = OrtEngine(part.role, raw, part.specs, provider=CPU, threads=threads)
    wanted = run_torch(oracle or part.module, part.specs, part.inputs)
    scale = max(1.0, *(float(np.abs(array).max()) for array in wanted.values()))
    for apart in compare(part.role, engine, part.inputs, wanted):
        close = apart.max_abs <= PARITY * scale if least_cosine is None else apart.cosine >= least_cosine
        if not close:
            apart_by = f"{apart.max_abs:.3g}, cosine {apart.cosine:.4f}"
            raise BundleError(f"{apart.name} differs from torch by {apart_by}: it is not timed.")
    return engine


def fused(part: Part, cut: Cut | None = None) -> nn.Module:
    """The part as it ships: a bridge fused, without the heads of `cut`; anything else as it is."""
    if not isinstance(part.module, WindowBridge):
        return part.module
    return WindowBridge(fused_bridge(part.module.bridge, cut)).eval()


def two_heads_cut(bridge: Bridge) -> dict[str, tuple[int, ...]]:
    """The last two heads of every routed attention."""
    return {
        name: (attention.heads - 2, attention.heads - 1) for name, _, attention in routed_attentions(bridge)
    }


def _free(specs: EngineSpec, name: str) -> bool:
    shape = next(spec.shape for spec in specs.inputs if spec.name == name)
    return bool(shape) and isinstance(shape[0], str)


def _moved(module: nn.Module) -> nn.Module:
    """A copy with every weight off its start, so that no branch rests."""
    moved, generator = copy.deepcopy(module).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in moved.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator) * 0.02)
    return moved
