"""The oracle of the language engine: torch with the engine's own rounded weights. Knows no runtime.

int4 rounding changes the logits, so an int4 engine never equals torch. With the same rounded weights it must:
what is then left can only come from the graph (rotary positions, attention, norms, a layer in a wrong place).
"""

from __future__ import annotations

import copy
import re

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from transformers import MistralForCausalLM

from export.config import EXACT
from export.wrappers import Arrays, Floats
from runtime.contract.bundle import INT4, W4A8
from runtime.contract.errors import BundleError
from runtime.engines.base import Array
from train.model.language import CACHE

_LAYER = re.compile(r"^/model/layers\.(\d+)/(attn|mlp)/(\w+_proj)/MatMul")
_HEAD = re.compile(r"^/lm_head/MatMul")
_FOLDER = {"attn": "self_attn", "mlp": "mlp"}


def with_engine_weights(model: MistralForCausalLM, engine: bytes) -> MistralForCausalLM:
    """A copy of the decoder that computes with the engine's dequantised weights.

    Raises:
        BundleError: a quantised layer that the decoder does not have, or a layer left out.
    """
    graph = onnx.load_from_string(engine).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    rounded: MistralForCausalLM = copy.deepcopy(model)
    waiting = {name for name, module in rounded.named_modules() if isinstance(module, torch.nn.Linear)}
    for node in graph.node:
        if node.op_type != "MatMulNBits":
            continue
        name = _module_name(node.name)
        if name not in waiting:
            raise BundleError(f"the language engine has the layer {node.name}, which torch has not.")
        waiting.remove(name)
        weight = dequantise(node, arrays)
        with torch.no_grad():
            rounded.get_submodule(name).get_parameter("weight").copy_(torch.from_numpy(weight))
    if waiting:
        raise BundleError(f"the language engine lacks the layers {', '.join(sorted(waiting))}.")
    rounded.train(mode=False)
    return rounded


def decoder_precision(engine: bytes) -> str:
    """What a decoder computes in, as the manifest says it: by the products of its graph."""
    levels = {
        attribute.i
        for node in onnx.load_from_string(engine).graph.node
        for attribute in node.attribute
        if node.op_type == "MatMulNBits" and attribute.name == "accuracy_level"
    }
    return INT4 if levels == {EXACT} else W4A8


def with_accuracy(model: onnx.ModelProto, level: int) -> bytes:
    """The same weights in a graph whose products take other activations: `export.config.EXACT`, `ROUNDED`."""
    other = copy.deepcopy(model)
    for node in other.graph.node:
        for attribute in node.attribute:
            if node.op_type == "MatMulNBits" and attribute.name == "accuracy_level":
                attribute.i = level
    return bytes(other.SerializeToString())


def run_decoder(model: MistralForCausalLM, embeds: Floats) -> dict[str, Floats]:
    """Logits of the last position and all keys and values, by the engine's names.

    Args:
        embeds: float32 (1, L, D).
    """
    with torch.inference_mode():
        out = model(inputs_embeds=torch.from_numpy(embeds), use_cache=True)
    found = {"logits": out.logits[:, -1:]}
    for index, layer in enumerate(getattr(out, CACHE).layers):
        found[f"present.{index}.key"], found[f"present.{index}.value"] = layer.keys, layer.values
    return {name: np.ascontiguousarray(value.numpy(), dtype=np.float32) for name, value in found.items()}


def logits_of_last(model: MistralForCausalLM, embeds: Floats, count: int) -> Floats:
    """Torch's logits (count, V) at the last positions of a prompt (1, L, D)."""
    with torch.inference_mode():
        logits = model(inputs_embeds=torch.from_numpy(embeds), logits_to_keep=count).logits
    return np.asarray(logits[0].numpy(), dtype=np.float32)


def decoder_inputs(embeds: Floats, empty_past: Arrays) -> dict[str, Array]:
    """Inputs of the engine for a prompt (1, L, D) with nothing before it."""
    mask = np.ones(embeds.shape[:2], dtype=np.int64)
    return {"inputs_embeds": embeds, "attention_mask": mask, **empty_past}


def _module_name(node: str) -> str:
    if _HEAD.match(node):
        return "lm_head"
    match = _LAYER.match(node)
    if match is None:
        raise BundleError(f"the language engine has a quantised node {node!r} of an unknown kind.")
    return f"model.layers.{match[1]}.{_FOLDER[match[2]]}.{match[3]}"


def dequantise(node: onnx.NodeProto, arrays: dict[str, Array]) -> Floats:
    """(N, K) float32 of one MatMulNBits node: (value - zero point) x scale, block by block."""
    sizes = {attribute.name: attribute.i for attribute in node.attribute}
    bits, block, rows, columns = sizes["bits"], sizes["block_size"], sizes["N"], sizes["K"]
    blocks = -(-columns // block)
    values = _unpack(arrays[node.input[1]].reshape(rows, -1), bits)[:, : blocks * block]
    scales = arrays[node.input[2]].reshape(rows, blocks, 1)
    zero: NDArray[np.float32] = np.full((rows, blocks), 2 ** (bits - 1), dtype=np.float32)
    if len(node.input) > 3 and node.input[3]:
        zero = _unpack(arrays[node.input[3]].reshape(rows, -1), bits)[:, :blocks]
    weight = (values.reshape(rows, blocks, block) - zero[..., None]) * scales
    return np.asarray(weight.reshape(rows, -1)[:, :columns], dtype=np.float32)


def _unpack(packed: Array, bits: int) -> Floats:
    """Bytes (N, B) to values (N, B x 8 / bits), low bits first."""
    raw = packed.astype(np.uint8)
    if bits == 8:
        return raw.astype(np.float32)
    return np.stack([raw & 15, raw >> 4], axis=-1).reshape(len(raw), -1).astype(np.float32)
