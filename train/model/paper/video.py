"""InternVideo2's video encoder (arXiv 2403.15377): space and time attended together. Knows no language.

Pre-norm blocks with RMSNorm, queries and keys normalised over the full width before they are split into
heads, LayerScale on both branches. One class token is kept and passed on. Names are the checkpoint's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """Sizes; the defaults are InternVideo2-1B with its last block dropped."""

    dim: int = 1408
    depth: int = 39
    heads: int = 16
    ffn: int = 6144
    frames: int = 8
    image_px: int = 224
    patch_px: int = 14

    @property
    def patches(self) -> int:
        """Patches of one frame."""
        return (self.image_px // self.patch_px) ** 2


class RMSNorm(nn.Module):
    """x / rms(x) x weight, over the last axis."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D); the mean square is taken in float32."""
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return self.weight * scaled.to(x.dtype)


class VideoAttention(nn.Module):
    """Self-attention over all patches of all frames."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)
        self.q_norm, self.k_norm = RMSNorm(dim), RMSNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        parts = (self.q_norm(query), self.k_norm(key), value)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out: Tensor = self.proj(mixed)
        return out


class VideoMLP(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class VideoBlock(nn.Module):
    """x + ls1 x attention, x + ls2 x MLP; LayerScale starts at 1e-5."""

    def __init__(self, config: VideoConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(config.dim), RMSNorm(config.dim)
        self.attn = VideoAttention(config.dim, config.heads)
        self.mlp = VideoMLP(config.dim, config.ffn)
        self.ls1 = nn.Parameter(torch.full((config.dim,), 1e-5))
        self.ls2 = nn.Parameter(torch.full((config.dim,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        x = x + self.ls1 * self.attn(self.norm1(x))
        out: Tensor = x + self.ls2 * self.mlp(self.norm2(x))
        return out


class PatchEmbed(nn.Module):
    """Frames to patches by a convolution whose stride is its kernel; one frame a tube."""

    def __init__(self, config: VideoConfig) -> None:
        super().__init__()
        size = (1, config.patch_px, config.patch_px)
        self.proj = nn.Conv3d(3, config.dim, size, stride=size)

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, T x P, D), frame by frame, row by row."""
        out: Tensor = self.proj(video)
        return out.flatten(2).transpose(1, 2)


class VideoEncoder(nn.Module):
    """A clip of `frames` frames, or one image, to tokens."""

    def __init__(self, config: VideoConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        clip, image = config.frames * config.patches + 1, config.patches + 1
        self.pos_embed = nn.Parameter(torch.randn(1, clip, config.dim) * 0.02)
        self.img_pos_embed = nn.Parameter(torch.randn(1, image, config.dim) * 0.02)
        self.blocks = nn.ModuleList(VideoBlock(config) for _ in range(config.depth))

    def forward(self, video: Tensor) -> Tensor:
        """Encode.

        Args:
            video: (B, 3, T, H, W), normalised; T is `frames`, or 1 for an image.

        Returns:
            (B, 1 + T x P, D): the class token first. There is no final norm here.

        Raises:
            ValueError: another number of frames.
        """
        if video.shape[2] not in (1, self.config.frames):
            raise ValueError(f"a clip has 1 or {self.config.frames} frames, got {video.shape[2]}")
        place = self.img_pos_embed if video.shape[2] == 1 else self.pos_embed
        x = torch.cat([self.cls_token.expand(len(video), -1, -1), self.patch_embed(video)], dim=1) + place
        for block in self.blocks:
            x = block(x)
        return x
