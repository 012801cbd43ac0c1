"""A decoder as a GGUF file, so that llama.cpp can take part. Knows no timing and no vocabulary.

The names and the order of rows are those of llama.cpp's `llama` architecture: its rotary embedding turns
neighbouring rows of a head, transformers' turns rows half a head apart.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import MistralForCausalLM

_ARCHITECTURE, _NO_VOCABULARY = "llama", "no_vocab"
_LAYER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
Floats = NDArray[np.float32]


def write_gguf(path: Path, model: MistralForCausalLM) -> None:
    """Layers in 4 bits (Q4_0: groups of 32 with one scale), embeddings and output layer in 8 (Q8_0).

    Raises:
        ImportError: the package `gguf` is not installed.
    """
    gguf = importlib.import_module("gguf")
    config = model.config
    writer = gguf.GGUFWriter(path, _ARCHITECTURE)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(_rope_base(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model(_NO_VOCABULARY)
    for name, values in _tensors(model):
        kind = _kind(gguf.GGMLQuantizationType, name, values)
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(model: MistralForCausalLM) -> Iterator[tuple[str, Floats]]:
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    for name, tensor in model.state_dict().items():
        values = np.asarray(tensor.detach().float().numpy(), dtype=np.float32)
        owner = name.removesuffix(".weight")
        if owner in _WHOLE:
            yield f"{_WHOLE[owner]}.weight", values
            continue
        _, _, layer, part = owner.split(".", 3)
        theirs = _LAYER[part]
        yield f"blk.{layer}.{theirs}.weight", neighbours(values, heads[theirs]) if theirs in heads else values


def neighbours(rows: Floats, heads: int) -> Floats:
    """Rows (heads * 2 * half, D) in which those half a head apart have become neighbours."""
    _, width = rows.shape
    apart = rows.reshape(heads, 2, -1, width)
    return np.ascontiguousarray(apart.swapaxes(1, 2)).reshape(rows.shape)


def _kind(kinds: Any, name: str, values: Floats) -> Any:
    if values.ndim == 1:
        return kinds.F32
    return kinds.Q4_0 if name.startswith("blk.") else kinds.Q8_0


def _rope_base(config: Any) -> float:
    """transformers 5 keeps it in `rope_parameters`, 4 beside the other sizes."""
    rope = getattr(config, "rope_parameters", None)
    return float(rope["rope_theta"] if rope else config.rope_theta)
