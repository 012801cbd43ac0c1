"""Joins tracks that show the same person: somebody who leaves and comes back. Knows no subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.people.views import PersonView

Distance = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""(N, E) and (M, E) unit embeddings to (N, M) distances."""


def join_tracks(views: Sequence[PersonView], distance: Distance, same_below: float) -> list[PersonView]:
    """The views with tracks renumbered from 0 by first appearance, one number a person.

    Two tracks seen in the same frame are two people. Otherwise the pair of groups with the smallest mean
    distance is joined, again and again, while that is below `same_below`.
    """
    groups = [[view for view in views if view.track == track] for track in sorted({v.track for v in views})]
    while len(groups) > 1:
        best: tuple[float, int, int] | None = None
        for i, a in enumerate(groups):
            for j, b in enumerate(groups[i + 1 :], start=i + 1):
                if {view.frame for view in a} & {view.frame for view in b}:
                    continue
                apart = float(distance(_embeddings(a), _embeddings(b)).mean())
                if apart < same_below and (best is None or apart < best[0]):
                    best = (apart, i, j)
        if best is None:
            break
        _, i, j = best
        groups[i] = groups[i] + groups.pop(j)
    groups.sort(key=lambda group: min((view.frame, view.head[0]) for view in group))
    joined = [replace(view, track=number) for number, group in enumerate(groups) for view in group]
    return sorted(joined, key=lambda view: (view.frame, view.track))


def split_tracks(views: Sequence[PersonView], distance: Distance, other_above: float) -> list[PersonView]:
    """The views with a track cut where its embedding jumps: linking by place mistakes who follows whom."""
    out: list[PersonView] = []
    fresh = max((view.track for view in views), default=-1) + 1
    for track in sorted({view.track for view in views}):
        number, seen = track, list[PersonView]()
        for view in sorted((v for v in views if v.track == track), key=lambda v: v.frame):
            if seen and float(distance(_embeddings([view]), _embeddings(seen)).min()) > other_above:
                number, fresh, seen = fresh, fresh + 1, []
            seen.append(view)
            out.append(replace(view, track=number))
    return out


def spread_views(views: Sequence[PersonView], count: int) -> list[PersonView]:
    """Up to `count` views that differ most: the best one first, then always the one farthest from all chosen.

    How far counts times quality, so that a blurred view is not taken for an unusual one.
    """
    rest = sorted(views, key=lambda view: -view.quality)
    chosen: list[PersonView] = []
    nearest = np.full(len(rest), np.inf)
    while rest and len(chosen) < count:
        quality = np.asarray([view.quality for view in rest])
        pick = int(np.argmax(nearest * quality)) if chosen else 0
        view = rest.pop(pick)
        chosen.append(view)
        nearest = np.delete(nearest, pick)
        if rest:
            nearest = np.minimum(nearest, 1.0 - _embeddings(rest) @ view.embedding)
    return chosen


def mean_template(views: Sequence[PersonView]) -> NDArray[np.float32]:
    """Unit mean (E,) of the embeddings of views."""
    return unit_mean(_embeddings(views))


def unit_mean(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit mean (E,) of embeddings (V, E)."""
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), dtype=np.float32)


def _embeddings(views: Sequence[PersonView]) -> NDArray[np.float32]:
    return np.stack([view.embedding for view in views])
