"""PLLaVA's way to the language model (arXiv 2404.16994): project every patch, average over time and space.

It takes the Q-Former's place where a configuration says so. Knows no language model.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class PoolingConfig:
    """Tokens that are left of a clip: moments, rows and columns."""

    frames: int = 8
    rows: int = 8
    columns: int = 8


class PooledProjector(nn.Module):
    """Patch tokens to rows of the language model."""

    def __init__(self, config: PoolingConfig, video_dim: int, language_dim: int) -> None:
        super().__init__()
        self.config = config
        self.linear_1 = nn.Linear(video_dim, language_dim)
        self.linear_2 = nn.Linear(language_dim, language_dim)

    def forward(self, tokens: Tensor, frames: int) -> Tensor:
        """Project and pool.

        Args:
            tokens: (B, 1 + frames x P, Dv), the class token first, P a square number of patches.

        Returns:
            (B, moments x rows x columns, Dl), moment by moment, row by row.
        """
        side = round(((tokens.shape[1] - 1) // frames) ** 0.5)
        return self.pool(tokens[:, 1:].view(len(tokens), frames, side, side, -1))

    def pool(self, patches: Tensor) -> Tensor:
        """The same of patches (B, T, rows, columns, Dv), on any grid."""
        projected: Tensor = self.linear_2(F.gelu(self.linear_1(patches)))
        size = (self.config.frames, self.config.rows, self.config.columns)
        pooled = F.adaptive_avg_pool3d(projected.permute(0, 4, 1, 2, 3), size)
        return pooled.flatten(2).transpose(1, 2)
