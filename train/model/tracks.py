"""What a person does and wears over a window: one track, laid out along time. Knows no subjects.

Which way somebody turns or moves shows only in the order of the moments. Attention over a handful of tokens
learns that slowly; two linear layers over the track laid out frame by frame learn it at once. They read
signs (joints, turn, clothes), not pixels: a few numbers that mean the same for everybody cannot be learned by
heart. Two linear layers cannot see a swing of any phase, so how far and how fast each sign swings is counted
beside them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_MOVED = 3
_ASPECT = 4 / 3
_LEAST_VARIANCE = 1e-4


class TrackMotion(nn.Module):
    """Person tokens to what their whole track shows, the same for every token of a track.

    Args:
        signs: how many numbers are read off a person in a frame. geom: of a token's geometry.
        frames: T of a window. dim: of the result. dropout: share of what a layer reads, in training.
    """

    def __init__(
        self, signs: int, geom: int, frames: int, dim: int, *, inner: int = 64, hidden: int = 256,
        dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        self.features = nn.Linear(signs + geom + _MOVED, inner)
        self.fc1 = nn.Linear(frames * (inner + 1), hidden)
        self.swing = nn.Linear(2 * (signs + _MOVED), hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, dim)
        self.mean = nn.Linear(signs, dim)

    def forward(self, signs: Tensor, geom: Tensor, same: Tensor, when: Tensor) -> Tensor:
        """Read tracks.

        Args:
            signs: (B, M, J). geom: (B, M, G), head centre and size first.
            same: (B, M, M), 1 where two valid tokens are of one track.
            when: (B, M, T), 1 at each token's own frame.

        Returns:
            (B, M, D); frames in which the track was not seen count as zeros and are marked.
        """
        moved = _moved(geom, same)
        features = self.features(torch.cat([signs, geom, moved], dim=-1))
        marked = F.pad(F.gelu(features), (0, 1), value=1.0)
        spread = (when[..., None] * marked[:, :, None, :]).flatten(2)
        swung = swing(torch.cat([signs, moved], dim=-1), same, when)
        hidden = self.fc1(self.dropout(same @ spread)) + self.swing(self.dropout(swung))
        over_time: Tensor = self.fc2(self.dropout(F.gelu(hidden)))
        mean: Tensor = self.mean(_track_mean(signs, same))
        return over_time + mean


def same_track(track: Tensor, valid: Tensor) -> Tensor:
    """(B, M, M): 1 where two tokens carry one track number (M numbers, (B, M)) and the second is valid."""
    same = ((track[:, :, None] - track[:, None, :]).abs() < 0.06).to(track.dtype)
    return same * valid[:, None, :]


def _track_mean(values: Tensor, same: Tensor) -> Tensor:
    """(B, M, F) to the mean over each token's track."""
    return (same @ values) / same.sum(dim=-1, keepdim=True).clamp(min=1.0)


def swing(values: Tensor, same: Tensor, when: Tensor) -> Tensor:
    """(B, M, 2 F): over each token's track, the deviation of each value, and its mean step between frames."""
    apart = (values - _track_mean(values, same)).square()
    deviation = torch.sqrt(_track_mean(apart, same) + _LEAST_VARIANCE)
    follows = same * (F.pad(when[..., :-1], (1, 0)) @ when.transpose(1, 2))
    goes_on = follows.sum(dim=-1, keepdim=True)
    step = (follows @ values - values * goes_on).abs()
    steps = (same @ goes_on).clamp(min=1.0)
    return torch.cat([deviation, (same @ step) / steps], dim=-1)


def _moved(geom: Tensor, same: Tensor) -> Tensor:
    """(B, M, 3): right of, below and nearer than the track's mean, in mean head heights and as ln of size."""
    mean = _track_mean(geom[..., :4], same)
    height = mean[..., 3:4].clamp(min=1e-3)
    shift = (geom[..., :2] - mean[..., :2]) / height
    grown = torch.log(geom[..., 3:4].clamp(min=1e-3) / height)
    return torch.cat([shift[..., :1] * _ASPECT, shift[..., 1:], grown], dim=-1)
