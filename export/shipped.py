"""The modules that are traced: the model's parts as they ship. Knows no ONNX.

Routers are fused into the query projection, idle heads are left out, and what may computes in float16.

In float16 everything that decides who somebody is stays in float32: where heads are, how alike two embeddings
are, presence and match. Only the large products are halved.
"""

from __future__ import annotations

import copy
import dataclasses

from torch import Tensor, nn

from export.config import ExportConfig
from export.fuse import Cut, fused_bridge
from export.wrappers import ClipEnrol, WindowBridge
from runtime.contract.bundle import FP32, HALF
from train.model.bridge import Bridge, BridgeInputs
from train.model.pvchat import PVChat
from train.model.vision import VisionEncoder


class HalfVision(nn.Module):
    """Scene tokens in float16, people from them in float32."""

    def __init__(self, vision: VisionEncoder) -> None:
        super().__init__()
        self.vision = copy.deepcopy(vision)
        for part in (self.vision.stem, self.vision.blocks, self.vision.norm):
            part.half()
        self.vision.position = nn.Parameter(self.vision.position.detach().half())

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """As the engine `vision`, float32 in and out."""
        tokens = self.vision.tokens(pixels.half()).float()
        return tokens, self.vision.find(tokens)


class HalfCrops(nn.Module):
    """An encoder of crops in float16, float32 in and out."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).half()

    def forward(self, crops: Tensor) -> tuple[Tensor, ...] | Tensor:
        """As the engine of the encoder."""
        found = self.encoder(crops.half())
        return tuple(one.float() for one in found) if isinstance(found, tuple) else found.float()


class HalfBridge(Bridge):
    """A bridge whose layers compute in float16; tokens, presence and match stay in float32."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge.config)
        self.load_state_dict(bridge.state_dict())
        self.layers.half()
        self.project_up.half()

    def _layer(
        self, layer: nn.Module, index: int, base: Tensor, own: Tensor, tokens: Tensor, closed: Tensor,
        cosine: Tensor, inputs: BridgeInputs, scores: list[Tensor],
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        deltas = {"delta_a": inputs.delta_a.half(), "delta_b": inputs.delta_b.half()}
        halved = dataclasses.replace(inputs, **deltas)
        given = (base.half(), own.half(), tokens.half(), closed.half(), cosine.half())
        return super()._layer(layer, index, *given, halved, scores)

    def _presence(
        self, cosine: Tensor, agree: Tensor, quality: Tensor, count: Tensor, own: Tensor, inputs: BridgeInputs
    ) -> tuple[Tensor, Tensor]:
        return super()._presence(cosine, agree, quality, count, own.float(), inputs)


def shipped_modules(model: PVChat, config: ExportConfig, cut: Cut | None = None) -> dict[str, nn.Module]:
    """By engine: what is traced, with the inputs and outputs of `export.specs`, in that order.

    Args:
        cut: routed heads to leave out, by attention.
    """
    plain = HalfBridge(model.bridge) if "bridge" in config.half else model.bridge
    bridge = fused_bridge(plain, cut)
    modules: dict[str, nn.Module] = {
        "vision": HalfVision(model.vision) if "vision" in config.half else model.vision,
        "head": HalfCrops(model.head) if "head" in config.half else model.head,
        "body": HalfCrops(model.body) if "body" in config.half else model.body,
        "bridge": WindowBridge(bridge),
        "enrol": ClipEnrol(model.enrol),
    }
    return {role: module.eval() for role, module in modules.items()}


def with_bridge(model: PVChat, bridge: Bridge) -> PVChat:
    """The same model with another bridge; all else is shared."""
    other = copy.copy(model)
    other._modules = {**model._modules, "bridge": bridge}
    return other


def precision_of(role: str, config: ExportConfig) -> str:
    """As the manifest names it."""
    return HALF if role in config.half else FP32
