"""Views of a window to the bridge's person tokens. Knows no engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec, to_letterbox
from runtime.people.views import PersonTokens, PersonView

Number = TypeVar("Number", bound="np.floating[Any]")
GEOM = 12
SIGN_LIMIT = 12.0


def limited(signs: NDArray[Number]) -> NDArray[Number]:
    """Signs within bounds: a logit that is surer than that says nothing more."""
    kept: NDArray[Number] = np.clip(signs, -SIGN_LIMIT, SIGN_LIMIT)
    return kept


def person_tokens(
    views: Sequence[PersonView],
    *,
    frame_width: int,
    frame_height: int,
    spec: PixelSpec,
    capacity: int,
    width: int,
    signs: int = 0,
) -> PersonTokens:
    """Pack views into padded arrays; of too many, those of lowest quality are left out.

    Args:
        views: any order.
        frame_width, frame_height: pixels of the original frame.
        capacity: M, rows of the result.
        width: E, of an embedding. signs: J, how many signs a view has; 0: none are wanted.
    """
    best = sorted(views, key=lambda view: -view.quality)[:capacity]
    kept = tuple(sorted(best, key=lambda view: (view.track, view.frame)))
    embed = np.zeros((capacity, width), dtype=np.float32)
    geom = np.zeros((capacity, GEOM), dtype=np.float32)
    shown = np.zeros((capacity, signs), dtype=np.float32)
    valid = np.zeros(capacity, dtype=np.float32)
    window_s = spec.window_frames / spec.window_fps
    previous: PersonView | None = None
    for row, view in enumerate(kept):
        x, y, w, h = to_letterbox(view.head, frame_width, frame_height, spec)
        cx, cy, vx, vy = x + w / 2, y + h / 2, 0.0, 0.0
        if previous is not None and previous.track == view.track and view.t_s > previous.t_s:
            seconds = view.t_s - previous.t_s
            vx = (cx - float(geom[row - 1, 0])) / seconds
            vy = (cy - float(geom[row - 1, 1])) / seconds
        embed[row] = view.embedding
        geom[row] = (
            cx, cy, w, h, view.quality, vx, vy, min(view.t_s / window_s, 1.0),
            float(view.source == "head"), float(view.source == "face"), view.track / 8, 1.0,
        )  # fmt: skip
        if signs and view.signs is not None:
            shown[row] = limited(view.signs)
        valid[row] = 1.0
        previous = view
    return PersonTokens(embed, geom, shown, valid, kept)
