"""Views of a person to what an adapter holds: one forward pass. Knows no clips as files and no subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.contract.sources import PersonSource
from runtime.people.cluster import spread_views
from runtime.people.tokens import person_tokens
from runtime.people.views import PersonView
from runtime.session.models import Models

Floats = NDArray[np.float32]
Size = tuple[int, int]
ENROL_TOKENS = 64


def reference_tokens(models: Models, parts: Sequence[tuple[Sequence[PersonView], Size]]) -> dict[str, Floats]:
    """Person tokens of whole clips, an even share of each: time counts from the start of a view's window.

    Args:
        parts: clip by clip, one person's views and the frames' width and height in pixels.
    """
    spec, shapes = models.manifest.pixels, models.manifest.shapes
    window_s, share = spec.window_frames / spec.window_fps, ENROL_TOKENS // len(parts)
    inputs = {
        "person_embed": np.zeros((ENROL_TOKENS, shapes["E"]), dtype=np.float32),
        "person_geom": np.zeros((ENROL_TOKENS, shapes["G"]), dtype=np.float32),
        "person_valid": np.zeros(ENROL_TOKENS, dtype=np.float32),
    }
    for number, (views, (width, height)) in enumerate(parts):
        tokens = person_tokens(
            [replace(view, track=0, t_s=view.t_s % window_s) for view in spread_views(views, share)],
            frame_width=width,
            frame_height=height,
            spec=spec,
            capacity=share,
            width=shapes["E"],
        )
        rows = slice(number * share, (number + 1) * share)
        inputs["person_embed"][rows] = tokens.embed
        inputs["person_geom"][rows] = tokens.geom
        inputs["person_valid"][rows] = tokens.valid
    return inputs


def learn(
    models: Models, tokens: dict[str, Floats], source: PersonSource, views: Floats
) -> dict[str, Floats]:
    """An instant adapter's arrays: low-rank changes are zero.

    Args:
        tokens: as `reference_tokens` gives them.
        views: float32 (V, E), the embeddings to keep.
    """
    learned = models.engines["enrol"].run(tokens)
    shapes = models.manifest.shapes
    k, d, r = shapes["K"], shapes["D"], shapes["R"]
    return {
        "queries": learned["queries"],
        "soft_tokens": learned["soft_tokens"],
        "token": learned["token"],
        "delta_a": np.zeros((k, d, r), dtype=np.float32),
        "delta_b": np.zeros((k, r, d), dtype=np.float32),
        f"views.{source}": views.astype(np.float32),
    }
