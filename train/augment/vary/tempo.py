"""The same moments at another pace. The number of frames stays."""

from __future__ import annotations

import numpy as np

from train.augment.vary.shot import Shot


def pace(shot: Shot, rng: np.random.Generator) -> Shot:
    """Faster or slower, by 0.6 to 1.6, in a part of the shot that is long enough."""
    count = len(shot.frames)
    speed = float(rng.uniform(0.6, 1.6))
    length = min(count - 1.0, (count - 1) * speed)
    start = float(rng.uniform(0, max(0.0, count - 1 - length)))
    index = np.clip(np.rint(start + np.linspace(0, length, count)), 0, count - 1)
    return shot.taken(index.astype(np.int64))


def stutter(shot: Shot, rng: np.random.Generator) -> Shot:
    """A camera that loses frames: each but the first is, one time in four, the one before once more."""
    index = np.arange(len(shot.frames))
    for position in range(1, len(index)):
        if rng.random() < 0.25:
            index[position] = index[position - 1]
    return shot.taken(index)


def waver(shot: Shot, rng: np.random.Generator) -> Shot:
    """Time runs unevenly, never backwards; first and last moment stay."""
    count = len(shot.frames)
    steps = rng.gamma(2.0, size=max(1, count - 1))
    index = np.concatenate([[0.0], np.cumsum(steps) / steps.sum() * (count - 1)])[:count]
    return shot.taken(np.rint(index).astype(np.int64))
