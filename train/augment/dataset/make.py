"""Clips made of a person's clip: the best still in motion, and mixes of the clip itself. Knows no files.

A recipe is words alone, so that it names its clip; what it gives follows from it, the seed and the source.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.people.views import PersonView
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.people import Still
from train.augment.vary.mix import VARIATIONS, vary
from train.augment.vary.motion import DRIVERS
from train.augment.vary.shot import Shot

Frames = NDArray[np.uint8]
_MIXED = tuple(name for name in VARIATIONS if name not in DRIVERS and name != "mirror")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a clip is made.

    Attributes:
        base: `clip` (a stretch of the source), or `still` (its best view, held).
        variations: names, in any order. number: tells recipes of the same words apart.
    """

    base: str
    variations: tuple[str, ...]
    number: int = 0

    @property
    def name(self) -> str:
        """Such as `still+yes` or `clip+blur+crop#3`."""
        return "+".join((self.base, *self.variations)) + (f"#{self.number}" if self.number else "")


def recipes(config: AugmentConfig) -> list[Recipe]:
    """All of a dataset's: the source as it is, each driver, and mixes in which all variations take turns."""
    rng = np.random.default_rng((config.seed, 1))
    made = [Recipe("clip", ()), *(Recipe("still", (driver,)) for driver in config.drivers)]
    queue: list[str] = []
    for number in range(1, config.looks + 1):
        wanted = 1 + int(rng.integers(min(config.mix, len(_MIXED))))
        chosen: list[str] = []
        while len(chosen) < wanted:
            queue = queue or [str(name) for name in rng.permutation(_MIXED)]
            name = queue.pop()
            if name not in chosen:
                chosen.append(name)
        made.append(Recipe("clip", tuple(sorted(chosen)), number))
    return made


def shot_of(frames: Frames, person: Sequence[PersonView], fps: float) -> Shot:
    """A clip with the person's head boxes."""
    heads = np.full((len(frames), 4), np.nan, dtype=np.float32)
    for view in person:
        heads[view.frame] = view.head
    return Shot(frames, heads, fps)


def cook(recipe: Recipe, source: Shot, best: Still, config: AugmentConfig) -> Shot:
    """The clip of a recipe: `config.clip_frames` frames."""
    rng = np.random.default_rng((config.seed, 2, zlib.crc32(recipe.name.encode())))
    count = config.clip_frames
    if recipe.base == "still":
        index = np.full(count, best.view.frame, dtype=np.int64)
        held = source.taken(index)
        held = replace(held, heads=np.tile(np.array(best.view.head, dtype=np.float32), (count, 1)))
        return vary(held, recipe.variations, rng)
    last = max(0, len(source.frames) - count)
    start = int(rng.integers(last + 1))
    index = np.minimum(np.arange(start, start + count), len(source.frames) - 1)
    return vary(source.taken(index.astype(np.int64)), recipe.variations, rng)
