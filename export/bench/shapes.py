"""The sizes that are measured: the tiny base's, and those of real models. Random weights. Knows no timing."""

from __future__ import annotations

from dataclasses import replace

from train.model.body import BodyConfig
from train.model.bridge import BridgeConfig
from train.model.enrol import EnrolConfig
from train.model.language import LanguageConfig
from train.model.pvchat import ModelConfig
from train.model.remoh import RoutingMode
from train.model.vision import VisionConfig

FRAMES = 8
SUBJECTS = 1
TINY = ModelConfig()
REAL = ModelConfig(
    vision=VisionConfig(width=336, height=336, dim=768, depth=12, heads=12),
    body=BodyConfig(),
    bridge=BridgeConfig(
        dim=768, heads=12, layers=12, ffn=3072, cross_every=2, routed_from=6, queries=56,
        scene_dim=768, scene_rows=14, scene_columns=14, language_dim=1024,
    ),
    enrol=EnrolConfig(dim=768, heads=12, queries=56, language_dim=1024),
    language=LanguageConfig(dim=1024),
)  # fmt: skip
"""A ViT of 12 blocks, 768 wide, 196 tokens a frame; a BERT-base bridge with 112 rows: 56 and one person's."""
DECODER = LanguageConfig(vocab=32000, dim=1024, layers=32, heads=16, kv_heads=4, ffn=4096, positions=2048)
"""About 0.55 thousand million parameters."""
SMALL_DECODER = LanguageConfig()


def routed(sizes: ModelConfig, mode: RoutingMode) -> ModelConfig:
    """The same sizes with another kind of routing; `none`: without."""
    return replace(sizes, bridge=replace(sizes.bridge, routing=replace(sizes.bridge.routing, mode=mode)))


def parameters(config: LanguageConfig) -> int:
    """Weights of a decoder, embeddings and output layer included."""
    width = config.dim // config.heads
    attention = 2 * config.dim * config.dim + 2 * config.dim * width * config.kv_heads
    layer = attention + 3 * config.dim * config.ffn + 2 * config.dim
    return config.layers * layer + 2 * config.vocab * config.dim + config.dim
