"""What a person does over a window: the features of one track, laid out along time. Knows no subjects.

Which way somebody turns or moves shows only in the order of the moments. Attention over a handful of tokens
learns that slowly; two linear layers over the track laid out frame by frame learn it at once.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class TrackMotion(nn.Module):
    """Person tokens to what their whole track shows, the same for every token of a track.

    Args:
        width: of a token's features. frames: T of a window. dim: of the result.
    """

    def __init__(self, width: int, frames: int, dim: int, *, inner: int = 48, hidden: int = 256) -> None:
        super().__init__()
        self.features = nn.Linear(width, inner)
        self.fc1 = nn.Linear(frames * (inner + 1), hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, features: Tensor, same: Tensor, when: Tensor) -> Tensor:
        """Read tracks.

        Args:
            features: (B, M, F). same: (B, M, M), 1 where two valid tokens are of one track.
            when: (B, M, T), 1 at each token's own frame.

        Returns:
            (B, M, D); frames in which the track was not seen count as zeros and are marked.
        """
        marked = F.pad(self.features(features), (0, 1), value=1.0)
        spread = (when[..., None] * marked[:, :, None, :]).flatten(2)
        out: Tensor = self.fc2(F.gelu(self.fc1(same @ spread)))
        return out


def same_track(track: Tensor, valid: Tensor) -> Tensor:
    """(B, M, M): 1 where two tokens carry one track number (M numbers, (B, M)) and the second is valid."""
    same = ((track[:, :, None] - track[:, None, :]).abs() < 0.06).to(track.dtype)
    return same * valid[:, None, :]
