"""InternVideo2-Chat-8B-HD with PVChat's subjects: video encoder, Q-Former, Mistral with LoRA.

A clip is seen in several views (two tiles and the whole picture); each view gives one row a query, and the
rows of all views, projected, stand in the language model's prompt. Knows no training.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import MistralConfig, MistralForCausalLM

from train.model.paper.lora import add_lora
from train.model.paper.pooling import PooledProjector, PoolingConfig
from train.model.paper.qformer import QFormer, QFormerConfig, subject_mask
from train.model.paper.video import VideoConfig, VideoEncoder
from train.model.remoh import Routing

LORA_TARGETS = frozenset(
    {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"}
)


@dataclass(frozen=True, slots=True)
class MistralSizes:
    """Sizes of the language model; the defaults are Mistral-7B-Instruct-v0.3."""

    vocab: int = 32768
    dim: int = 4096
    layers: int = 32
    heads: int = 32
    kv_heads: int = 8
    ffn: int = 14336
    positions: int = 32768
    rope_theta: float = 1e6


@dataclass(frozen=True, slots=True)
class PaperConfig:
    """Everything at the paper's size.

    Attributes:
        base_queries, extra_queries: learned queries of the public base.
        subjects, subject_queries: people and queries of each; 0 people is the public base itself.
        lora_rank, lora_alpha, lora_dropout: of the language model.
        pooling: PLLaVA's path instead of the Q-Former's; None: the Q-Former.
    """

    video: VideoConfig = field(default_factory=VideoConfig)
    qformer: QFormerConfig = field(default_factory=QFormerConfig)
    language: MistralSizes = field(default_factory=MistralSizes)
    base_queries: int = 32
    extra_queries: int = 64
    subjects: int = 1
    subject_queries: int = 16
    lora_rank: int = 16
    lora_alpha: float = 32.0
    lora_dropout: float = 0.1
    pooling: PoolingConfig | None = None

    @classmethod
    def public_base(cls) -> PaperConfig:
        """The public checkpoint: no routers, nobody enrolled."""
        return cls(qformer=QFormerConfig(routing=Routing(mode="none")), subjects=0)


class PaperModel(nn.Module):
    """The whole model; build it under `torch.device("meta")` to look at it without memory."""

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        dim, video = config.qformer.dim, config.video.dim
        self.vision_encoder = VideoEncoder(config.video)
        self.vision_layernorm = nn.LayerNorm(video, eps=1e-12)
        self.qformer = QFormer(config.qformer)
        self.query_tokens = nn.Parameter(torch.randn(1, config.base_queries, dim) * 0.02)
        self.extra_query_tokens = nn.Parameter(torch.zeros(1, config.extra_queries, dim))
        if config.subjects:
            own = torch.randn(config.subjects, config.subject_queries, dim) * 0.02
            self.personal_query_tokens = nn.Parameter(own)
        self.project_up = nn.Linear(dim, config.language.dim)
        self.project_down = nn.Linear(config.language.dim, dim)
        if config.pooling is not None:
            self.projector = PooledProjector(config.pooling, video, config.language.dim)
        self.lm = nn.Module()
        self.lm.base_model = nn.Module()
        self.lm.base_model.model = _language(config)

    @property
    def language(self) -> MistralForCausalLM:
        """The language model with its low-rank changes."""
        model = self.lm.base_model.model  # type: ignore[union-attr]
        if not isinstance(model, MistralForCausalLM):
            raise TypeError("the language model was replaced")
        return model

    def queries(self) -> Tensor:
        """(1, Q, D): base, extra, then each subject's."""
        parts: list[Tensor] = [self.query_tokens, self.extra_query_tokens]
        if self.config.subjects:
            parts.append(self.personal_query_tokens.flatten(0, 1)[None])
        return torch.cat(parts, dim=1)

    def rows(self, views: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the language model gets to see.

        Args:
            views: (B, V, 3, T, H, W), normalised.

        Returns:
            (B, V x Q, Dl), and the router scores before the ReLU; with pooling, as many rows a view as it
            leaves, and no scores.
        """
        batch, count = views.shape[:2]
        tokens = self.vision_layernorm(self.vision_encoder(views.flatten(0, 1)))
        if self.config.pooling is not None:
            pooled = self.projector(tokens, views.shape[3])
            return pooled.unflatten(0, (batch, count)).flatten(1, 2), []
        base = self.config.base_queries + self.config.extra_queries
        mask = None
        if self.config.subjects:
            mask = subject_mask(base, self.config.subjects, self.config.subject_queries).to(views)
        seen, scores = self.qformer(self.queries().expand(len(tokens), -1, -1), tokens, mask)
        return self.project_up(seen).unflatten(0, (batch, count)).flatten(1, 2), scores


def _language(config: PaperConfig) -> MistralForCausalLM:
    sizes = config.language
    model = MistralForCausalLM(
        MistralConfig(
            vocab_size=sizes.vocab,
            hidden_size=sizes.dim,
            intermediate_size=sizes.ffn,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            num_key_value_heads=sizes.kv_heads,
            head_dim=sizes.dim // sizes.heads,
            max_position_embeddings=sizes.positions,
            rope_parameters={"rope_type": "default", "rope_theta": sizes.rope_theta},
            sliding_window=None,
            tie_word_embeddings=False,
        )
    )
    add_lora(model, LORA_TARGETS, rank=config.lora_rank, alpha=config.lora_alpha, dropout=config.lora_dropout)
    return model
