"""What the people stream hands on: one view per person and moment. Knows no engines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import Box
from runtime.contract.sources import PersonSource

_POSE, _TOLD = 3, 0.2


@dataclass(frozen=True, slots=True)
class PersonBox:
    """A person found in one frame.

    Attributes:
        head, body: x, y, width, height in pixels of the frame.
        score: the detector's confidence, 0..1.
    """

    head: Box
    body: Box
    score: float


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person at one moment, embedded.

    Attributes:
        frame: index into the clip's frames that were looked at.
        t_s: seconds from the first of them.
        track: index of the person's track within the window, 0-based.
        head, body: x, y, width, height in pixels of the frame.
        embedding: float32 (E,), unit.
        quality: 0..1; how well this view can tell who it is.
        source: which encoder made the embedding.
        signs: float32 (J,), what the body shows (joints, deed, clothes, pose of the head); None: not told.
        turn_deg: of a face, how far it looks to the picture's right, -90..90; None: not told.
    """

    frame: int
    t_s: float
    track: int
    head: Box
    body: Box
    embedding: NDArray[np.float32]
    quality: float
    source: PersonSource
    signs: NDArray[np.float32] | None = None
    turn_deg: float | None = None

    @property
    def yaw_deg(self) -> float | None:
        """How far the head is turned, -180..180, positive to the picture's right; None: not told.

        Of a drawn head the last three signs are sine and cosine of it, and pitch; small ones tell nothing.
        """
        if self.turn_deg is not None:
            return self.turn_deg
        if self.signs is None or len(self.signs) < _POSE:
            return None
        sine, cosine = (float(value) for value in self.signs[-_POSE:-1])
        return math.degrees(math.atan2(sine, cosine)) if math.hypot(sine, cosine) > _TOLD else None


@dataclass(frozen=True, slots=True)
class PersonTokens:
    """Views of a window as the bridge takes them, padded to M.

    Attributes:
        embed: float32 (M, E), unit rows, zeros where not valid.
        geom: float32 (M, 12): head cx, cy, w, h (fractions of the vision input), quality, velocity x, y
            (fractions per second), time 0..1, source is head, source is face, track / 8, 1.
        signs: float32 (M, J), zeros where nothing was told.
        valid: float32 (M,), 1 or 0.
        views: the views behind the first rows, in row order.
    """

    embed: NDArray[np.float32]
    geom: NDArray[np.float32]
    signs: NDArray[np.float32]
    valid: NDArray[np.float32]
    views: tuple[PersonView, ...]


def clearest_of(views: Sequence[PersonView], track: int) -> PersonView:
    """The view of a track that tells best who it is. What is known of a track rests on all of its views."""
    return max((view for view in views if view.track == track), key=lambda view: view.quality)


def views_within(
    views: Sequence[PersonView], span: Sequence[int], fps: float
) -> tuple[list[PersonView], tuple[int, ...]]:
    """The views of one window of a clip, and the clip's track number of each of the window's tracks.

    Args:
        span: the window's frames, indices into the clip.

    Returns:
        views with `track` numbered from 0 and `t_s` counted from the window's first frame.
    """
    inside = [view for view in views if view.frame in span]
    numbers = sorted({view.track for view in inside})
    local = [
        replace(view, track=numbers.index(view.track), t_s=span.index(view.frame) / fps) for view in inside
    ]
    return local, tuple(numbers)
