"""The language model as an int4 ONNX decoder, by onnxruntime-genai's model builder. Knows no bundle.

The builder is a program: it runs as a child process on a temporary folder in Hugging Face's layout, off line.
It finds the output layer by its size alone, so a model where another layer has that size comes out silently
wrong; such a model is refused.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from transformers import MistralForCausalLM

from export.config import LanguageExport
from export.decoder import DecoderExport
from export.trace import MAX_IR, strip
from runtime.contract.bundle import TensorSpec
from runtime.contract.errors import BundleError
from runtime.contract.prompt import BOS, EOS, PAD, UNK

TIMEOUT_S = 600
MAX_OPSET = 22
_TYPES: dict[int, str] = {int(onnx.TensorProto.FLOAT): "float32", int(onnx.TensorProto.INT64): "int64"}


def build_language(model: MistralForCausalLM, tokenizer_json: str, config: LanguageExport) -> bytes:
    """Quantise the decoder.

    Args:
        model: torch's decoder, float32.
        tokenizer_json: only because the builder wants a tokenizer beside the weights.

    Returns:
        one ONNX file, all weights inside.

    Raises:
        BundleError: sizes that the builder would confuse, the builder fails, or its graph is not what the
            engine's inputs and outputs say.
    """
    check_sizes(model)
    with tempfile.TemporaryDirectory(prefix="pvchat-language-") as name:
        folder = Path(name)
        write_source(folder / "source", model, tokenizer_json)
        _run_builder(folder / "source", folder / "built", config, embeddings=False)
        graph = onnx.load(folder / "built" / "model.onnx", load_external_data=True)
    strip(graph)
    _check(graph, DecoderExport(model.config))
    return bytes(graph.SerializeToString(deterministic=True))


def check_sizes(model: MistralForCausalLM) -> None:
    """Refuse a model whose output layer the builder would not find by its size.

    Raises:
        BundleError: another linear layer is as wide as the vocabulary.
    """
    vocabulary = int(model.config.vocab_size)
    for name, module in model.named_modules():
        if name != "lm_head" and isinstance(module, nn.Linear) and vocabulary in module.weight.shape:
            raise BundleError(
                f"language layer {name} has the size of the vocabulary ({vocabulary}).",
                "The int4 builder would take it for the output layer: change the vocabulary's size.",
            )


def embedding_table(model: MistralForCausalLM) -> NDArray[np.float16]:
    """Token embeddings (V, D) as float16.

    Raises:
        BundleError: float16 cannot hold them exactly.
    """
    table = np.asarray(model.model.embed_tokens.weight.detach().numpy(), dtype=np.float32)
    half = table.astype(np.float16)
    if not np.array_equal(half.astype(np.float32), table):
        raise BundleError(
            "the token embeddings are not exact in float16.", "Save the checkpoint with `train.checkpoint`."
        )
    return half


def build_whole(source: Path, built: Path, config: LanguageExport) -> None:
    """Quantise a decoder with its embeddings, as onnxruntime-genai's own generator wants it, into files.

    Args:
        source: as `write_source` wrote it.

    Raises:
        BundleError: the builder fails.
    """
    _run_builder(source, built, config, embeddings=True)


def write_source(folder: Path, model: MistralForCausalLM, tokenizer_json: str) -> None:
    """Weights, sizes and tokenizer in Hugging Face's layout; the folder must not exist."""
    folder.mkdir()
    weights = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    sizes = {**model.config.to_dict(), "architectures": ["MistralForCausalLM"], "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(sizes))
    (folder / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    kinds = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "unk_token": UNK}
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast", **kinds}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))


def _run_builder(source: Path, built: Path, config: LanguageExport, *, embeddings: bool) -> None:
    options = {
        "exclude_embeds": "false" if embeddings else "true",
        "fuse_qkv": "false",
        "prune_lm_head": "true",
        "hf_token": "false",
        "algo_config": config.algorithm,
        "block_size": str(config.block_size),
        "accuracy_level": str(config.accuracy_level),
    }
    if config.output_layer == "int8":
        options["matmul_mixed_precision"] = "last_matmul:int8"
    command = [
        sys.executable, "-m", "onnxruntime_genai.models.builder",
        "-i", str(source), "-o", str(built), "-c", str(built.with_name("cache")),
        "-p", "int4", "-e", "cpu", "--extra_options", *(f"{key}={value}" for key, value in options.items()),
    ]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=source.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"the int4 builder took longer than {TIMEOUT_S} s.") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise BundleError(
            f"the int4 builder failed (exit code {done.returncode}): {said}.",
            "Check that `pip install pvchat-edge[export]` is complete.",
        )


def _check(graph: onnx.ModelProto, decoder: DecoderExport) -> None:
    """Compare what the builder made with what optimum's description of the decoder says."""
    specs = decoder.spec()
    opset = max(entry.version for entry in graph.opset_import if entry.domain == "")
    if opset > MAX_OPSET or graph.ir_version > MAX_IR:
        raise BundleError(
            f"the int4 builder made opset {opset}, IR {graph.ir_version}; "
            f"the box takes {MAX_OPSET} and {MAX_IR} at most."
        )
    for wanted, found in ((specs.inputs, graph.graph.input), (specs.outputs, graph.graph.output)):
        values = {value.name: value for value in found}
        wrong = sorted(set(values) ^ {spec.name for spec in wanted})
        wrong += [spec.name for spec in wanted if spec.name in values and not _fits(spec, values[spec.name])]
        if wrong:
            raise BundleError(f"the int4 builder's graph differs at {', '.join(wrong)}.")


def _fits(spec: TensorSpec, value: onnx.ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    sizes = [size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim]
    same = len(sizes) == len(spec.shape) and _TYPES.get(tensor.elem_type) == spec.dtype
    return same and all(
        theirs is None or not isinstance(ours, int) or ours == theirs
        for ours, theirs in zip(spec.shape, sizes, strict=True)
    )
