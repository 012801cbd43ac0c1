"""What the exporter is told. Knows no model and no paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runtime.contract.settings import load_settings

Bits = Literal["int4", "int8"]
HALF_ROLES = ("vision", "head", "body", "bridge")
OPSETS = (20, 23)
EXACT, ROUNDED = 1, 4
"""Accuracy levels of ONNX Runtime's `MatMulNBits`: products with float32 activations, with int8 ones."""


@dataclass(frozen=True, slots=True)
class LanguageExport:
    """How the language model is quantised, and how far it may be off.

    Attributes:
        algorithm: how weights are rounded: `rtn` (nearest, symmetric) or `k_quant` (scale and offset fitted).
        block_size: weights that share one scale.
        output_layer: bits of the layer that gives the logits.
        accuracy_level: `EXACT` or `ROUNDED`: products with float32 activations, or with int8 ones.
        graph_max_abs: largest difference of the engine's logits from torch with the same rounded weights.
        windows: made-up windows it is judged on where the caller gives no prompts; four questions each.
        min_cosine: lowest mean cosine of logits with torch's own weights.
        min_top1, min_yes_no: share of likeliest tokens, and of verdicts, that agree where torch is clear.
        min_slots: share of the answers' facts (room, deed, clothes, verdict) that agree, there too.
        max_drift: mean difference of the probability of yes.
    """

    algorithm: Literal["rtn", "k_quant"] = "k_quant"
    block_size: int = 32
    output_layer: Bits = "int8"
    accuracy_level: int = ROUNDED
    graph_max_abs: float = 1e-3
    windows: int = 16
    min_cosine: float = 0.99
    min_top1: float = 0.9
    min_yes_no: float = 0.98
    min_slots: float = 0.9
    max_drift: float = 0.02

    def __post_init__(self) -> None:
        if self.block_size not in (16, 32, 64, 128):
            raise ValueError(f"block_size must be 16, 32, 64 or 128, got {self.block_size}")
        if self.accuracy_level not in (EXACT, ROUNDED):
            raise ValueError(f"accuracy_level must be 1 or 4, got {self.accuracy_level}")
        if self.windows < 1:
            raise ValueError(f"windows must be 1 or more, got {self.windows}")


@dataclass(frozen=True, slots=True)
class TensorrtExport:
    """Engines that the box builds itself, see `runtime.engines.plans.BuildStep`.

    Attributes:
        roles: engines that become plans; the others run in ONNX Runtime.
        sizes: by letter, the least, usual and largest size that a plan takes.
        workspace_mib: memory that TensorRT may use while it builds and runs.
    """

    roles: tuple[str, ...] = HALF_ROLES
    sizes: dict[str, tuple[int, ...]] = field(
        default_factory=lambda: {"T": (1, 8, 16), "N": (1, 8, 64), "S": (1, 2, 8)}
    )
    workspace_mib: int = 1024

    def __post_init__(self) -> None:
        for letter, sizes in self.sizes.items():
            if len(sizes) != 3 or sorted(sizes) != list(sizes) or sizes[0] < 1:
                raise ValueError(f"sizes.{letter} must be three numbers that rise from 1 on, got {sizes}")


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """One profile of export; see `configs/export/cpu.toml`.

    Attributes:
        opset: ONNX opset of vision, head, bridge and enrol: 20, or 23, whose attention is one operator.
        max_abs: largest absolute difference of an engine's output from torch.
        half: engines that compute in float16; they are held to cosines instead.
        half_min_cosine, half_min_cosine_bridge: lowest cosine of a row of their outputs.
        tensorrt: what the box builds itself; None: nothing.
        prove_perturbed: also export perturbed weights and compare, so that branches that the real weights
            leave at rest are compared too (as long again as the export itself).
        max_mib: a larger bundle is refused.
        seed: of inputs that nobody gave.
    """

    opset: int = 20
    max_abs: float = 1e-4
    half: tuple[str, ...] = ()
    half_min_cosine: float = 0.999
    half_min_cosine_bridge: float = 0.99
    prove_perturbed: bool = True
    max_mib: float = 25.0
    seed: int = 1
    language: LanguageExport = field(default_factory=LanguageExport)
    tensorrt: TensorrtExport | None = None

    def __post_init__(self) -> None:
        if self.opset not in OPSETS:
            raise ValueError(f"opset must be 20 (TensorRT 10.3 knows no newer one) or 23, got {self.opset}")
        unknown = sorted({*self.half} - {*HALF_ROLES})
        if unknown:
            raise ValueError(f"half may name {', '.join(HALF_ROLES)}, got {', '.join(unknown)}")

    def min_cosine(self, role: str) -> float:
        """Lowest cosine of an engine that computes in float16."""
        return self.half_min_cosine_bridge if role == "bridge" else self.half_min_cosine


def load_export_config(path: Path) -> ExportConfig:
    """The settings in a TOML file.

    Raises:
        ConfigError: the file cannot be read, names an unknown key or a value out of range.
    """
    return load_settings(path, ExportConfig)
