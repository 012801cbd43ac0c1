"""Claims about the file that llama.cpp gets: its sizes, its bits, and whose rows stand where."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch
from transformers import MistralForCausalLM

from export.bench.gguf_file import neighbours, write_gguf
from train.model.language import LanguageConfig, build_language

CONFIG = LanguageConfig(vocab=96, dim=64, layers=2, heads=4, kv_heads=2, ffn=128, positions=32)


@pytest.fixture(scope="module")
def model() -> MistralForCausalLM:
    torch.manual_seed(0)
    return build_language(CONFIG)


@pytest.fixture(scope="module")
def written(model: MistralForCausalLM, tmp_path_factory: pytest.TempPathFactory) -> gguf.GGUFReader:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(path, model)
    return gguf.GGUFReader(path)


def values(reader: gguf.GGUFReader, name: str) -> np.ndarray:
    one = next(tensor for tensor in reader.tensors if tensor.name == name)
    return np.asarray(gguf.quants.dequantize(one.data, one.tensor_type))


def test_sizes_and_rotary_base_are_the_models(written: gguf.GGUFReader, model: MistralForCausalLM) -> None:
    said = {name: field.contents() for name, field in written.fields.items()}
    wanted = {
        "embedding_length": 64, "block_count": 2, "feed_forward_length": 128, "vocab_size": 96,
        "attention.head_count": 4, "attention.head_count_kv": 2, "rope.dimension_count": 16,
        "context_length": 32,
    }  # fmt: skip
    assert {name: said[f"llama.{name}"] for name in wanted} == wanted
    assert said["llama.rope.freq_base"] == 10_000.0


def test_layers_have_four_bits_and_embeddings_and_output_eight(written: gguf.GGUFReader) -> None:
    kinds = {tensor.name: tensor.tensor_type.name for tensor in written.tensors}
    assert len(kinds) == 2 * 9 + 3
    assert {kinds[name] for name in kinds if name.startswith("blk.") and "norm" not in name} == {"Q4_0"}
    assert {kinds[f"{name}.weight"] for name in ("token_embd", "output")} == {"Q8_0"}
    assert {kinds[name] for name in kinds if "norm" in name} == {"F32"}


def test_every_weight_is_the_models_own_but_for_its_rounding(
    written: gguf.GGUFReader, model: MistralForCausalLM
) -> None:
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    pairs = [
        ("blk.1.ffn_down.weight", state["model.layers.1.mlp.down_proj.weight"], 0.15),
        ("blk.0.attn_v.weight", state["model.layers.0.self_attn.v_proj.weight"], 0.15),
        ("blk.1.attn_q.weight", neighbours(state["model.layers.1.self_attn.q_proj.weight"], 4), 0.15),
        ("blk.1.attn_k.weight", neighbours(state["model.layers.1.self_attn.k_proj.weight"], 2), 0.15),
        ("output.weight", state["lm_head.weight"], 0.01),
        ("token_embd.weight", state["model.embed_tokens.weight"], 0.01),
        ("output_norm.weight", state["model.norm.weight"], 0.0),
    ]
    for name, ours, limit in pairs:
        theirs = values(written, name)
        assert np.linalg.norm(theirs - ours) <= limit * np.linalg.norm(ours), name


def test_rows_half_a_head_apart_become_neighbours() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None] * np.ones((1, 3), dtype=np.float32)
    assert neighbours(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
