"""Base checkpoints on disk: one safetensors file, sizes as JSON, a tokenizer. Knows no bundle.

Weights are stored as float16 and the model computes with exactly these values in float32, so engines that
store them as float16 agree with torch to rounding of the arithmetic alone. The base's fingerprint is the
sha256 of the weight file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from runtime.contract.bundle import calibration_from_json
from runtime.contract.calibration import Calibration
from runtime.contract.errors import BundleError
from runtime.contract.settings import parse_settings
from train.model.pvchat import ModelConfig, PVChat, build_model

WEIGHTS, SIZES, TOKENIZER, CALIBRATION = (
    "base.safetensors",
    "model.json",
    "tokenizer.json",
    "calibration.json",
)
EVALUATION, MADE_BY = "evaluation.json", "made_by.json"
"""What a checkpoint that was just made says of itself, for the manifest of a bundle."""
_LARGEST_HALF = 65504.0
_NEUTRAL = "bridge.traits.correct."
"""Layers that change nothing while they are zero; a base that is older than they are lacks them."""
_FORMERLY = {"vision.trunk.": "vision.part."}
"""Names of layers in older bases, in which they told less: the middles of trunks only."""


def round_to_half(model: PVChat) -> None:
    """Make every weight exactly representable in float16, in place."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.clamp(-_LARGEST_HALF, _LARGEST_HALF).half().float())


def save_base(folder: Path, model: PVChat, config: ModelConfig, tokenizer_json: str) -> str:
    """Write a checkpoint; the model's weights are rounded to float16 first.

    Returns:
        the base's fingerprint, 64 hex digits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    round_to_half(model)
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, folder / WEIGHTS)
    (folder / SIZES).write_text(json.dumps(dataclasses.asdict(config), indent=1, sort_keys=True) + "\n")
    (folder / TOKENIZER).write_text(tokenizer_json, encoding="utf-8")
    return fingerprint(folder)


def load_base(folder: Path) -> tuple[PVChat, ModelConfig]:
    """Read a checkpoint into a model in evaluation mode, float32.

    Raises:
        BundleError: a file is missing, or the weights do not fit the sizes.
    """
    weights = read_weights(folder)
    try:
        sizes: dict[str, Any] = json.loads((folder / SIZES).read_text())
    except (OSError, ValueError) as error:
        raise _no_checkpoint(folder, error) from error
    config = parse_settings(sizes, ModelConfig, where=str(folder / SIZES))
    model = build_model(config)
    lacking = {
        name: torch.zeros_like(tensor)
        for name, tensor in model.state_dict().items()
        if name.startswith(_NEUTRAL) and name not in weights
    }
    try:
        model.load_state_dict({**weights, **lacking})
    except RuntimeError as error:
        raise BundleError(f"{folder / WEIGHTS} does not fit {SIZES}: {error}.") from error
    return model.eval(), config


def read_weights(folder: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors by name, the weights as float32.

    Raises:
        BundleError: there are none.
    """
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, ValueError) as error:
        raise _no_checkpoint(folder, error) from error
    return {_today(name): t.float() if t.is_floating_point() else t for name, t in weights.items()}


def _today(name: str) -> str:
    for before, now in _FORMERLY.items():
        if name.startswith(before):
            return now + name.removeprefix(before)
    return name


def _no_checkpoint(folder: Path, error: Exception) -> BundleError:
    return BundleError(f"no base checkpoint in {folder}: {error}.", "Run `python -m train.base`.")


def read_calibration(path: Path) -> Calibration:
    """How a base's evidence decides, in the manifest's form.

    Raises:
        BundleError: no such file, a field missing or of the wrong kind.
    """
    try:
        return calibration_from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error}.", "Run `python -m train.base`.") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{path} is no calibration: {type(error).__name__} at {error}.", "Calibrate the base again."
        ) from error


def write_json(path: Path, data: object) -> None:
    """What a checkpoint says beside its weights: the same data is the same bytes."""
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def fingerprint(folder: Path) -> str:
    """sha256 of the weight file, in hex."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def adapter_shapes(config: ModelConfig) -> dict[str, int]:
    """Sizes that an adapter must have, by the manifest's letters."""
    bridge = config.bridge
    return {
        "Q": bridge.queries,
        "W": config.enrol.soft,
        "D": bridge.dim,
        "Dl": bridge.language_dim,
        "E": bridge.embed_dim,
        "F": bridge.embed_dim,
        "K": bridge.layers,
        "R": bridge.rank,
    }
