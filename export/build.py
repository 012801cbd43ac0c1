"""A checkpoint's engines, traced, quantised and proven against torch. Knows no bundle directory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.config import ExportConfig
from export.decoder import DecoderExport
from export.dequantise import decoder_inputs, decoder_precision, run_decoder, with_engine_weights
from export.language import build_language
from export.language_parity import check_language
from export.parity import EXAMPLE_SIZE, check_all, made_inputs, prove_perturbed
from export.prompts import PromptCase, made_prompts
from export.prove import clip_tensors, golden_frames, trained_pixels
from export.prune import Pruning, silenced
from export.samples import sample_inputs
from export.shipped import precision_of, shipped_modules, with_bridge
from export.specs import TORCH_ROLES, pixel_spec, torch_specs
from export.trace import trace
from export.wrappers import Arrays, engine_modules, run_torch
from runtime.contract.bundle import EngineSpec
from runtime.contract.errors import BundleError
from runtime.engines.base import Array
from train.checkpoint import TOKENIZER, fingerprint, load_base
from train.model.pvchat import ModelConfig, PVChat

Progress = Callable[[str], None]
_GOLDEN_SIZES = {"vision": 1, "head": 1, "body": 1}
_GOLDEN_SIZE = 2
_GOLDEN_TOKENS = 24


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint as the exporter needs it.

    Attributes:
        folder: where it lies; base: its fingerprint.
    """

    folder: Path
    base: str
    model: PVChat
    config: ModelConfig
    tokenizer_json: str


@dataclass(frozen=True, slots=True)
class Built:
    """Engines that agree with torch.

    Attributes:
        files: the ONNX file of each role; specs: what goes in and out.
        parity: the report for the manifest.
        oracle: the model that they equal: the checkpoint's, without the heads that were measured to be idle.
    """

    files: dict[str, bytes]
    specs: dict[str, EngineSpec]
    parity: dict[str, Any]
    oracle: PVChat


def open_source(folder: Path) -> Source:
    """Read a checkpoint.

    Raises:
        BundleError: a file is missing, or the weights do not fit the sizes.
    """
    model, config = load_base(folder)
    try:
        tokenizer_json = (folder / TOKENIZER).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"no tokenizer in {folder}: {error}.", "Run `python -m train.base`.") from error
    return Source(folder, fingerprint(folder), model, config, tokenizer_json)


def build_engines(
    source: Source,
    config: ExportConfig,
    *,
    golden: Mapping[str, Arrays],
    prompts: Sequence[PromptCase] | None,
    ready: Mapping[str, bytes],
    progress: Progress,
    pruning: Pruning | None = None,
    windows: Sequence[Arrays] = (),
) -> Built:
    """Export every engine and compare it with torch.

    Args:
        golden: inputs by role that are compared besides the made-up ones.
        prompts: for the language engine; None: made-up ones.
        ready: engines of this very checkpoint, not exported again; they are compared all the same.
        pruning: routed heads that the bridge is exported without.
        windows: of the household, on which a measured pruning must change nothing.

    Raises:
        BundleError: an engine does not come out as it should, or does not agree with torch.
    """
    model, sizes = source.model, source.config
    specs = torch_specs(sizes)
    oracle = _oracle(model, pruning)
    files = _trace_all(source, config, ready, pruning, progress)
    progress("compare vision, head, body, bridge and enrol with torch")
    inputs = {
        role: [*made_inputs(sizes, role, config.seed), *([golden[role]] if role in golden else [])]
        for role in TORCH_ROLES
    }
    parity: dict[str, Any] = {"tolerance_max_abs": config.max_abs}
    parity.update(check_all(oracle, sizes, files, inputs, config))
    if windows:
        progress(f"compare the bridge on {len(windows)} windows of the household")
        parity["windows"] = check_all(model, sizes, {"bridge": files["bridge"]}, {"bridge": windows}, config)
    if config.prove_perturbed:
        progress("export perturbed weights and compare")
        perturbed = prove_perturbed(model, sizes, config)
        parity.update({f"perturbed_{name}": found for name, found in perturbed.items() if name != "provider"})
    if "language" not in ready:
        progress("quantise language")
        files["language"] = build_language(model.language, source.tokenizer_json, config.language)
    else:
        files["language"] = ready["language"]
    progress("compare language with torch")
    if prompts is None:
        prompts = made_prompts(model, sizes, windows=config.language.windows, seed=config.seed)
    parity["language"] = check_language(
        model.language, files["language"], source.tokenizer_json, prompts, config.language
    )
    for role in TORCH_ROLES:
        specs[role] = dataclasses.replace(specs[role], precision=precision_of(role, config))
    decoder = DecoderExport(model.language.config).spec()
    specs["language"] = dataclasses.replace(decoder, precision=decoder_precision(files["language"]))
    return Built(files, specs, parity, oracle)


def _oracle(model: PVChat, pruning: Pruning | None) -> PVChat:
    """What the engines must equal for every input; a proven pruning changes nothing, so it is the model."""
    if pruning is None or pruning.method == "proven":
        return model
    return with_bridge(model, silenced(model.bridge, pruning.cut))


def _trace_all(
    source: Source,
    config: ExportConfig,
    ready: Mapping[str, bytes],
    pruning: Pruning | None,
    progress: Progress,
) -> dict[str, bytes]:
    specs = torch_specs(source.config)
    modules = shipped_modules(source.model, config, None if pruning is None else pruning.cut)
    files: dict[str, bytes] = {}
    for role in TORCH_ROLES:
        if role in ready:
            files[role] = ready[role]
            continue
        progress(f"export {role} ({precision_of(role, config)}, opset {config.opset})")
        example = sample_inputs(source.config, role, size=EXAMPLE_SIZE, seed=config.seed)
        files[role] = trace(role, modules[role], specs[role], example, opset=config.opset)
    return files


def golden_tensors(
    source: Source, built: Built, config: ExportConfig, golden: Mapping[str, Arrays]
) -> dict[str, dict[str, Array]]:
    """For each role: `<role>.in.<name>` and `<role>.out.<name>`, computed by torch.

    The language engine's are computed with its own rounded weights, so that one tolerance serves all engines.
    Inputs that nobody gave are made up. Floating inputs are rounded to float16, and kept as such: that is
    half the size, and exact.
    """
    tensors: dict[str, dict[str, Array]] = {}
    modules = engine_modules(built.oracle)
    for role in TORCH_ROLES:
        size = _GOLDEN_SIZES.get(role, _GOLDEN_SIZE)
        made = sample_inputs(source.config, role, size=size, seed=config.seed)
        inputs = _rounded(golden.get(role, made))
        tensors[role] = _pair(role, inputs, run_torch(modules[role], built.specs[role], inputs))
    frames = golden_frames(config.seed)
    pixels = {"pixels": trained_pixels(frames, pixel_spec(source.config))}
    seen = run_torch(modules["vision"], built.specs["vision"], pixels)
    tensors["vision"].update(clip_tensors(frames, seen))
    language = source.model.language
    case = made_prompts(source.model, source.config, windows=1, seed=config.seed)[0]
    rows = next(iter(case.blocks.values()))
    embeds = rows[None, :_GOLDEN_TOKENS].astype(np.float16).astype(np.float32)
    rounded = with_engine_weights(language, built.files["language"])
    prompt = decoder_inputs(embeds, DecoderExport(language.config).empty_past())
    tensors["language"] = _pair("language", prompt, run_decoder(rounded, embeds))
    return tensors


def _rounded(inputs: Arrays) -> dict[str, Array]:
    """Inputs that float16 holds exactly, as float32."""
    return {
        name: array.astype(np.float16).astype(np.float32) if array.dtype == np.float32 else array
        for name, array in inputs.items()
    }


def _pair(role: str, inputs: Arrays, outputs: Arrays) -> dict[str, Array]:
    return {
        **{
            f"{role}.in.{name}": array.astype(np.float16) if array.dtype == np.float32 else array
            for name, array in inputs.items()
        },
        **{f"{role}.out.{name}": array for name, array in outputs.items()},
    }
