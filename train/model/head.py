"""Head encoder: a head crop to a unit embedding of who it is, where in it the head really is, and its pose.

A detector's box is inexact; the crop itself tells by how much, so that a second crop can be cut better.
Knows no scene and no time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POSE = 3


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """Sizes of the head encoder; `crop` in pixels."""

    crop: int = 64
    dim: int = 128
    channels: tuple[int, ...] = (24, 48, 96, 160)


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut (He 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class HeadEncoder(nn.Module):
    """Crops to unit embeddings, a quality and a correction of the crop.

    The mean embedding of many people, `centre`, is taken away, so that two people are at a cosine of about 0.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        before = 3
        for index, after in enumerate(config.channels):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            if index > 0:
                layers.append(Residual(after))
            before = after
        self.trunk = nn.Sequential(*layers)
        side = config.crop // 2 ** len(config.channels)
        self.features = before
        self.embed = nn.Linear(before * side * side, config.dim)
        self.quality = nn.Linear(before, 1)
        self.locate = nn.Linear(before * side * side, 3)
        self.pose = nn.Linear(before * side * side, POSE)
        self.uncovered = nn.Linear(before * side * side, 1)
        for layer in (self.locate, self.pose, self.uncovered):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_buffer("centre", torch.zeros(config.dim))
        self.centre: Tensor

    def trunk_features(self, crops: Tensor) -> Tensor:
        """(N, 3, crop, crop) to (N, C, side, side)."""
        out: Tensor = self.trunk(crops)
        return out

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embed crops.

        Args:
            crops: float (N, 3, crop, crop), normalised.

        Returns:
            embeddings (N, E), unit rows; quality (N,) in 0..1: how well this view can tell who it is, times
            the probability that enough of the head is uncovered to be told; shift (N, 3): the head's centre
            right of and below the crop's, in sides of the crop, and ln of the head's size over the size that
            the crop was cut for; pose (N, 3): sine and cosine of the yaw, pitch in radians.
        """
        maps = self.trunk_features(crops)
        flat = maps.flatten(1)
        embedding = F.normalize(F.normalize(self.embed(flat), dim=-1) - self.centre, dim=-1)
        quality = torch.sigmoid(self.quality(maps.mean(dim=(2, 3)))) * torch.sigmoid(self.uncovered(flat))
        return embedding, quality.squeeze(-1), self.locate(flat), self.pose(flat)
