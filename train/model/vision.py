"""Scene encoder: one frame to a grid of tokens, and who stands where. Knows no time and no identity.

A small convolutional stem (stride 24) feeds a pre-norm vision transformer (Dosovitskiy 2021). One frame at a
time, so that a frame is encoded once and its tokens are reused by every window that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.model.head import Residual

STRIDE, PEOPLE = 24, 10
_INNER = 64


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """Sizes of the scene encoder; width and height in pixels, both multiples of 24."""

    width: int = 192
    height: int = 144
    dim: int = 128
    depth: int = 4
    heads: int = 4

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.height // STRIDE, self.width // STRIDE


class Block(nn.Module):
    """Pre-norm transformer block: x + attention, x + MLP."""

    def __init__(self, dim: int, heads: int, ratio: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ratio * dim)
        self.fc2 = nn.Linear(ratio * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, P, D) to (N, P, D)."""
        n, p, d = x.shape
        qkv = self.qkv(self.norm1(x)).view(n, p, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, p, d)
        x = x + self.out(mixed)
        hidden: Tensor = self.fc2(F.gelu(self.fc1(self.norm2(x))))
        return x + hidden


def nearness(points: Tensor, cells: Tensor, grid: tuple[int, int], sharp: float) -> Tensor:
    """How much each cell's token says of a place: softmax of -sharp x squared distance in cells.

    Args:
        points: (..., 2) x, y in fractions of the frame. cells: (P, 2) centres, the same.
        grid: rows and columns.

    Returns:
        (..., P), sums to 1.
    """
    size = points.new_tensor([float(grid[1]), float(grid[0])])
    distance = (((points[..., None, :] - cells) * size) ** 2).sum(dim=-1)
    return torch.softmax(-sharp * distance, dim=-1)


class VisionEncoder(nn.Module):
    """Frames to scene tokens and people."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        rows, columns = config.grid
        layers: list[nn.Module] = []
        for before, after in pairwise((3, 24, 48, 96)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.GELU()]
        layers += [Residual(96), nn.Conv2d(96, config.dim, 3, stride=3), nn.BatchNorm2d(config.dim)]
        self.stem = nn.Sequential(*layers)
        self.position = nn.Parameter(torch.randn(1, rows * columns, config.dim) * 0.02)
        self.blocks = nn.ModuleList(Block(config.dim, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim)
        self.people = nn.Linear(config.dim, PEOPLE - 1)
        self.part = nn.Sequential(nn.Linear(config.dim, _INNER), nn.GELU(), nn.Linear(_INNER, 1))
        cells = torch.stack(
            torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy"), dim=-1
        ).reshape(-1, 2)
        self.register_buffer("cells", cells.float(), persistent=False)
        self.cells: Tensor

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Encode frames.

        Args:
            pixels: float (N, 3, H, W), normalised.

        Returns:
            tokens (N, P, D), and people (N, P, 10): objectness logit, head centre x, y, width, height, body
            x0, y0, x1, y1 in fractions of the frame, and the logit of a part of a body; row p speaks of a
            head whose centre lies in cell p, and of whatever of a body lies in it.
        """
        tokens = self.tokens(pixels)
        return tokens, self.find(tokens)

    def tokens(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, P, D)."""
        x = self.stem(pixels).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out

    def find(self, tokens: Tensor) -> Tensor:
        """(N, P, D) to people (N, P, 10)."""
        return torch.cat([self._people(self.people(tokens)), self.part(tokens)], dim=-1)

    def _people(self, raw: Tensor) -> Tensor:
        rows, columns = self.config.grid
        size = raw.new_tensor([float(columns), float(rows)])
        centre = (self.cells + torch.sigmoid(raw[..., 1:3]) * 2 - 0.5) / size
        extent = torch.exp(raw[..., 3:5].clamp(-3, 3)) * 0.12
        reach = F.softplus(raw[..., 5:9]) * 0.3
        body = torch.cat([centre - reach[..., :2], centre + reach[..., 2:]], dim=-1)
        return torch.cat([raw[..., :1], centre, extent, body], dim=-1)
