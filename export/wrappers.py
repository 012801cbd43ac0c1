"""The model's parts with the engines' inputs and outputs: one window, no batch axis. Knows no ONNX."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runtime.contract.bundle import EngineSpec
from runtime.engines.base import Array
from train.model.bridge import Bridge, BridgeInputs
from train.model.enrol import Enrol
from train.model.pvchat import PVChat

Floats = NDArray[np.float32]
Arrays = Mapping[str, Array]


class WindowBridge(nn.Module):
    """The bridge over one window."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.bridge = bridge

    def forward(
        self,
        scene: Tensor,
        scene_valid: Tensor,
        person_embed: Tensor,
        person_geom: Tensor,
        person_signs: Tensor,
        person_valid: Tensor,
        queries: Tensor,
        templates: Tensor,
        subject_valid: Tensor,
        delta_a: Tensor,
        delta_b: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As the engine `bridge`; `scene_valid` has one element, all else lacks the batch axis."""
        out = self.bridge(
            BridgeInputs(
                scene[None], scene_valid, person_embed[None], person_geom[None], person_signs[None],
                person_valid[None], queries[None], templates[None], subject_valid[None], delta_a[None],
                delta_b[None],
            )
        )  # fmt: skip
        return out.base_rows[0].float(), out.subject_rows[0].float(), out.presence[0], out.match[0]


class ClipEnrol(nn.Module):
    """Enrolment from one reference clip."""

    def __init__(self, enrol: Enrol) -> None:
        super().__init__()
        self.enrol = enrol

    def forward(
        self, person_embed: Tensor, person_geom: Tensor, person_valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As the engine `enrol`."""
        queries, soft_tokens, token = self.enrol(person_embed[None], person_geom[None], person_valid[None])
        return queries[0], soft_tokens[0], token[0]


def engine_modules(model: PVChat) -> dict[str, nn.Module]:
    """By engine: a module in evaluation mode with the inputs and outputs of `export.specs`, in that order."""
    modules: dict[str, nn.Module] = {
        "vision": model.vision,
        "head": model.head,
        "body": model.body,
        "bridge": WindowBridge(model.bridge),
        "enrol": ClipEnrol(model.enrol),
    }
    return {role: module.eval() for role, module in modules.items()}


def run_torch(module: nn.Module, specs: EngineSpec, inputs: Arrays) -> dict[str, Floats]:
    """What torch computes, with the engine's names."""
    with torch.inference_mode():
        outputs = module(*(torch.from_numpy(inputs[spec.name]) for spec in specs.inputs))
    found = outputs if isinstance(outputs, tuple) else (outputs,)
    return {
        spec.name: np.asarray(value.numpy(), dtype=np.float32)
        for spec, value in zip(specs.outputs, found, strict=True)
    }
