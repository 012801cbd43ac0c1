"""Puts the parts together; they are handed in, never read from a configuration. Knows no training."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import MistralForCausalLM

from train.model.body import BodyConfig, BodyEncoder
from train.model.bridge import Bridge, BridgeConfig
from train.model.enrol import Enrol, EnrolConfig
from train.model.head import HeadConfig, HeadEncoder
from train.model.language import LanguageConfig, build_language
from train.model.vision import VisionConfig, VisionEncoder


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of all parts."""

    vision: VisionConfig = field(default_factory=VisionConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    body: BodyConfig = field(default_factory=BodyConfig)
    bridge: BridgeConfig = field(default_factory=BridgeConfig)
    enrol: EnrolConfig = field(default_factory=EnrolConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)


class PVChat(nn.Module):
    """Vision, head and body encoder, bridge, enrolment and language model side by side."""

    def __init__(
        self,
        vision: VisionEncoder,
        head: HeadEncoder,
        body: BodyEncoder,
        bridge: Bridge,
        enrol: Enrol,
        language: MistralForCausalLM,
    ) -> None:
        super().__init__()
        self.vision = vision
        self.head = head
        self.body = body
        self.bridge = bridge
        self.enrol = enrol
        self.language = language
        self.register_buffer("domain_mean", torch.zeros(vision.config.dim))
        self.register_buffer("domain_whiten", torch.eye(vision.config.dim))
        self.domain_mean: Tensor
        self.domain_whiten: Tensor

    def domain_distance(self, tokens: Tensor) -> Tensor:
        """Mahalanobis distance of pooled scene tokens from the trained domain, per root dimension.

        Args:
            tokens: (B, T, P, D).

        Returns:
            (B,), about 1 inside the trained domain.
        """
        centred = tokens.mean(dim=(1, 2)) - self.domain_mean
        squared: Tensor = (centred @ self.domain_whiten).square().mean(dim=-1)
        return torch.sqrt(squared)


def build_model(config: ModelConfig) -> PVChat:
    """A model with random weights."""
    return PVChat(
        vision=VisionEncoder(config.vision),
        head=HeadEncoder(config.head),
        body=BodyEncoder(config.body),
        bridge=Bridge(config.bridge),
        enrol=Enrol(config.enrol),
        language=build_language(config.language),
    )
