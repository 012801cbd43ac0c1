"""The people of a clip, told apart, and the best still of each. Knows no variations and no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN

from runtime.people.views import PersonView
from train.augment.dataset.config import ClusterConfig
from train.augment.dataset.eyes import Eyes

Frames = NDArray[np.uint8]
_SHARP = 500.0
"""Variance of the Laplacian from which a face counts as sharp (the paper's)."""
_LARGE_PX = 160.0
_FRONT_DEG = 60.0


@dataclass(frozen=True, slots=True)
class Still:
    """One view of a person and what speaks for it; every share is 0..1.

    Attributes:
        front: faces the camera; sharp: focus; inside: of the head within the picture; large: its height.
    """

    view: PersonView
    front: float
    sharp: float
    inside: float
    large: float

    @property
    def score(self) -> float:
        """Half for the side it shows, the rest for focus, size and completeness, as the paper weighs them."""
        return 0.5 * self.front + 0.25 * self.sharp + 0.125 * self.inside + 0.125 * self.large


def told_apart(views: Sequence[PersonView], eyes: Eyes, config: ClusterConfig) -> list[list[PersonView]]:
    """Views by person, whoever is seen most first; views that fit nobody are left out.

    Two views of one frame are two people, whatever they look like: the farther one of a cluster goes.
    """
    if not views:
        return []
    embeddings = np.stack([view.embedding for view in views])
    apart = np.maximum(eyes.distance(embeddings, embeddings).astype(np.float64), 0.0)
    apart = (apart + apart.T) / 2
    labels = _clustered(apart, config.eps, config.min_samples)
    if (labels < 0).all():
        labels = _clustered(apart, config.loose_eps, config.loose_min_samples)
    if (labels < 0).all():
        labels = np.zeros(len(views), dtype=np.int64)
    groups = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    people = [[views[int(row)] for row in _one_a_frame(group, views, apart)] for group in groups]
    return sorted(people, key=lambda person: (-len(person), person[0].frame, person[0].head[0]))


def _clustered(apart: NDArray[np.float64], eps: float, min_samples: int) -> NDArray[np.int64]:
    found = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(apart)
    return np.asarray(found.labels_, dtype=np.int64)


def _one_a_frame(
    group: NDArray[np.int64], views: Sequence[PersonView], apart: NDArray[np.float64]
) -> list[int]:
    middle = apart[np.ix_(group, group)].mean(axis=1)
    best: dict[int, tuple[float, int]] = {}
    for row, away in zip(group, middle, strict=True):
        frame = views[int(row)].frame
        best[frame] = min(best.get(frame, (np.inf, -1)), (float(away), int(row)))
    return [row for _, (_, row) in sorted(best.items())]


def stills(person: Sequence[PersonView], frames: Frames) -> list[Still]:
    """Every view of a person judged, the best first."""
    return sorted((_judged(view, frames[view.frame]) for view in person), key=lambda still: -still.score)


def _judged(view: PersonView, frame: NDArray[np.uint8]) -> Still:
    x, y, w, h = view.head
    height, width = frame.shape[:2]
    left, top, right, bottom = max(0.0, x), max(0.0, y), min(float(width), x + w), min(float(height), y + h)
    inside = max(0.0, right - left) * max(0.0, bottom - top) / max(w * h, 1e-6)
    crop = frame[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
    sharp = 0.0
    if crop.size:
        grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
        sharp = min(1.0, float(cv2.Laplacian(grey, cv2.CV_64F).var()) / _SHARP)
    yaw = view.yaw_deg
    front = view.quality if yaw is None else max(0.0, 1.0 - abs(yaw) / _FRONT_DEG)
    return Still(view, front, sharp, min(1.0, inside), min(1.0, h / _LARGE_PX))
