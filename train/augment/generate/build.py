"""Generators of a configuration, and what each is asked for; the one place that knows all kinds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.contract.errors import UsageError
from train.augment.generate.command import CommandGenerator
from train.augment.generate.config import GeneratorConfig
from train.augment.generate.consisid import ConsisId
from train.augment.generate.order import Frames, Generator, Order
from train.augment.generate.prompts import prompt_of, scenes


def build(configs: Sequence[GeneratorConfig]) -> list[tuple[GeneratorConfig, Generator]]:
    """The generators, checked as far as that goes without loading them.

    Raises:
        ConfigError: words of a command that cannot be. UsageError: weights or a driver that are not there, or
            two of one name.
    """
    names = [config.name for config in configs]
    if len(set(names)) != len(names):
        raise UsageError(f"two generators have one name: {', '.join(names)}.", "Name them apart.")
    for config in configs:
        for driver in config.drivers:
            if not driver.is_file():
                raise UsageError(f"{config.name}: the driver {driver} does not exist.", "Check the path.")
    return [
        (config, ConsisId(config) if config.kind == "consisid" else CommandGenerator(config))
        for config in configs
    ]


def orders(config: GeneratorConfig, still: Frames, who: str, age_group: str, seed: int) -> list[Order]:
    """One clip for each driver; without drivers, one for each of `count` scenes.

    Args:
        who: the person in words. age_group: as `Attributes` has it.
    """
    if config.drivers:
        return [
            Order(
                driver.stem.replace(" ", "-"),
                still,
                prompt_of(who, "looks at the camera"),
                driver,
                seed + number,
            )
            for number, driver in enumerate(config.drivers)
        ]
    wanted = scenes(age_group, config.count, np.random.default_rng((seed, 7)))
    return [
        Order(f"scene{number}", still, prompt_of(who, scene), None, seed + number)
        for number, scene in enumerate(wanted, start=1)
    ]
