"""The language model: a small decoder of Mistral's architecture, from transformers. Knows no video."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from transformers import MistralConfig, MistralForCausalLM

_FORWARD = inspect.signature(MistralForCausalLM.forward).parameters
CACHE = "cache" if "cache" in _FORWARD else "past_key_values"
"""What transformers calls the keys and values of earlier tokens: `cache` from 5.24 on."""


@dataclass(frozen=True, slots=True)
class LanguageConfig:
    """Sizes of the decoder. `vocab` must differ from every layer's width (the int4 builder finds the output
    layer by its size)."""

    vocab: int = 320
    dim: int = 192
    layers: int = 4
    heads: int = 6
    kv_heads: int = 2
    ffn: int = 512
    positions: int = 1024


def build_language(config: LanguageConfig) -> MistralForCausalLM:
    """A decoder with random weights."""
    return MistralForCausalLM(
        MistralConfig(
            vocab_size=config.vocab,
            hidden_size=config.dim,
            intermediate_size=config.ffn,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            head_dim=config.dim // config.heads,
            max_position_embeddings=config.positions,
            sliding_window=None,
            tie_word_embeddings=False,
            bos_token_id=2,
            eos_token_id=3,
            pad_token_id=0,
        )
    )


def after(cache: Any) -> dict[str, Any]:
    """Arguments of a forward pass that goes on after `cache` (None: from the beginning) and keeps one."""
    return {CACHE: cache, "use_cache": True}
