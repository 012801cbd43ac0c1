"""Encoders of a base that is there already, as the starting point of another one. Knows no training.

Head, scene and body encoder take most of the hours that a base takes; a new bridge or language model does not
need new ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from runtime.contract.errors import BundleError
from train.checkpoint import WEIGHTS, fingerprint, read_weights
from train.model.pvchat import ModelConfig, build_model

HEAD_ENCODER = "head_encoder.safetensors"
TAKEN: tuple[str, ...] = ("head", "vision", "body")
"""The stages that taken encoders stand for."""
_SOURCE, _STARTED, _START = "encoders_from.json", "started_from.json", "start"
_READ_OUTS = ("pose.", "uncovered.")
"""Layers that an older checkpoint may lack: stage `readouts` fits them."""


def take_encoders(checkpoint: Path, config: ModelConfig, work: Path, parts: Sequence[str] = TAKEN) -> None:
    """Put encoders of a checkpoint folder into a work folder, as if their stages had run.

    Args:
        parts: which of `TAKEN`.

    Raises:
        BundleError: there is no checkpoint, or its encoders have other sizes than `config` says.
    """
    work.mkdir(parents=True, exist_ok=True)
    for part, module in _encoders(checkpoint, config, parts):
        if part == "head":
            save_file(contiguous(module), work / HEAD_ENCODER)
        else:
            save_file(as_stage(module), work / f"{part}.safetensors")
    source = {"encoders_from": fingerprint(checkpoint), "taken": ", ".join(parts)}
    (work / _SOURCE).write_text(json.dumps(source) + "\n")


def start_from(checkpoint: Path, config: ModelConfig, work: Path) -> None:
    """Let the encoders' stages, as far as they run, begin with the weights of a checkpoint folder.

    Raises:
        BundleError: there is no checkpoint, or its encoders have other sizes than `config` says.
    """
    (work / _START).mkdir(parents=True, exist_ok=True)
    for part, module in _encoders(checkpoint, config, TAKEN):
        save_file(contiguous(module), work / _START / f"{part}.safetensors")
    (work / _STARTED).write_text(json.dumps({"started_from": fingerprint(checkpoint)}) + "\n")


def begin(encoder: nn.Module, work: Path, part: str) -> None:
    """Give an encoder the weights that its stage begins with, if `start_from` named any."""
    path = work / _START / f"{part}.safetensors"
    if path.exists():
        encoder.load_state_dict(load_file(path))


def read_source(work: Path) -> dict[str, str]:
    """`encoders_from`, the fingerprint of the base whose encoders these are, and `taken`, which of them;
    `started_from`, that of the base whose encoders the others began as. Without what does not apply.
    """
    paths = [path for name in (_STARTED, _SOURCE) if (path := work / name).exists()]
    return {name: str(value) for path in paths for name, value in json.loads(path.read_text()).items()}


def as_stage(encoder: nn.Module) -> dict[str, Tensor]:
    """An encoder's tensors under the names that its stage's checkpoint has."""
    return {f"model.encoder.{name}": tensor for name, tensor in contiguous(encoder).items()}


def contiguous(module: nn.Module) -> dict[str, Tensor]:
    """A module's tensors as safetensors takes them."""
    return {name: tensor.contiguous() for name, tensor in module.state_dict().items()}


def _encoders(checkpoint: Path, config: ModelConfig, parts: Sequence[str]) -> Iterator[tuple[str, nn.Module]]:
    """Each of these encoders, with the checkpoint's weights."""
    weights, model = read_weights(checkpoint), build_model(config)
    for part in parts:
        module, start = model.get_submodule(part), f"{part}."
        found = {name.removeprefix(start): t for name, t in weights.items() if name.startswith(start)}
        _load(module, found, checkpoint / WEIGHTS, part)
        yield part, module


def _load(module: nn.Module, found: dict[str, Tensor], path: Path, part: str) -> None:
    try:
        missing, unknown = module.load_state_dict(found, strict=False)
    except RuntimeError as error:
        raise BundleError(f"the {part} encoder in {path} does not fit the configuration: {error}.") from error
    lacking = [name for name in missing if not name.startswith(_READ_OUTS)]
    if lacking or unknown:
        raise BundleError(
            f"the {part} encoder in {path} does not fit the configuration: {[*lacking, *unknown][:3]}."
        )
