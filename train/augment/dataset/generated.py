"""Positives that generators make of the best still; each is looked at again. Knows no generator's inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from runtime.people.views import PersonView
from train.augment.dataset.attributes import Attributes, described
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.eyes import Eyes, likeness, most_alike
from train.augment.dataset.folder import Folder, Made
from train.augment.dataset.make import shot_of
from train.augment.generate.build import orders
from train.augment.generate.config import GeneratorConfig
from train.augment.generate.order import Frames, Generator, Order
from train.augment.vary.mix import vary
from train.augment.vary.shot import Shot


def generated(
    folder: Folder, generators: Sequence[tuple[GeneratorConfig, Generator]], origin: str, digest: str,
    still: Frames, looks: Attributes, person: Sequence[PersonView], eyes: Eyes, config: AugmentConfig,
    floor: float, progress: Callable[[int, int], None],
) -> list[Made]:  # fmt: skip
    """One source's clips of all generators; those less alike to the person than `floor` are not kept.

    Raises:
        UsageError: something that a generator needs is not installed. ContentError: one made nothing.
    """
    made: list[Made] = []
    who = described(looks)
    wanted = [
        (generator, order)
        for settings, generator in generators
        for order in orders(settings, still, who, looks.age_group, config.seed)
    ]
    for number, (generator, order) in enumerate(wanted, start=1):

        def make(generator: Generator = generator, order: Order = order) -> tuple[Shot, float]:
            frames, fps = generator.generate(order)
            shot = _as_shot(frames, fps, person, eyes, config)
            return shot, likeness(eyes, person, most_alike(eyes, shot.frames, shot.fps, person))

        key = (
            "generated", digest, generator.name, generator.settings, order.name, order.prompt,
            "" if order.driver is None else str(order.driver), str(order.seed), f"{config.fps:g}",
        )  # fmt: skip
        made.append(
            folder.clip(
                key, make, lambda alike: alike >= floor,
                recipe=f"{generator.name}+{order.name}", origin=origin, role="positive",
            )
        )  # fmt: skip
        progress(number, len(wanted))
    return made


def counts_of(generators: Sequence[Generator], made: Sequence[Made]) -> list[dict[str, object]]:
    """For index and datasheet: each generator, its licence, how many of its clips were kept and dropped."""
    kept = {
        one.name: [clip.kept for clip in made if clip.recipe.startswith(f"{one.name}+")] for one in generators
    }
    return [
        {
            "name": one.name,
            "licence": one.licence,
            "kept": sum(kept[one.name]),
            "dropped": len(kept[one.name]) - sum(kept[one.name]),
        }
        for one in generators
    ]


def _as_shot(
    frames: Frames, fps: float, person: Sequence[PersonView], eyes: Eyes, config: AugmentConfig
) -> Shot:
    """At the dataset's rate; a picture is held, and the person in it moved as the first driver says."""
    if len(frames) > 1:
        index = np.arange(0, len(frames), max(1.0, fps / config.fps)).astype(np.int64)
        return Shot(frames[index], np.full((len(index), 4), np.nan, dtype=np.float32), min(fps, config.fps))
    found = most_alike(eyes, frames, config.fps, person)
    held = shot_of(frames, found, config.fps).taken(np.zeros(config.clip_frames, dtype=np.int64))
    return vary(held, config.drivers[:1], np.random.default_rng((config.seed, 6)))
