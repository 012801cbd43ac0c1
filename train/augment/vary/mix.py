"""All variations by name, and a clip through some of them. Knows no person and no file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np

from runtime.contract.errors import UsageError
from train.augment.vary import cover, framing, light, motion, tempo
from train.augment.vary.shot import Shot

Variation = Callable[[Shot, np.random.Generator], Shot]
VARIATIONS: MappingProxyType[str, Variation] = MappingProxyType(
    {
        "pace": tempo.pace,
        "stutter": tempo.stutter,
        "waver": tempo.waver,
        **motion.DRIVERS,
        "clothes": cover.clothes,
        "background": cover.background,
        "occlusion": cover.occlusion,
        "crop": framing.crop,
        "distance": framing.distance,
        "view": framing.view,
        "mirror": framing.mirror,
        "side_light": light.side_light,
        "brightness": light.brightness,
        "colour": light.colour,
        "infrared": light.infrared,
        "blur": light.blur,
        "noise": light.noise,
        "compression": light.compression,
    }
)
"""In the order in which they happen before and in a camera: motion, the scene, framing, light, the sensor."""


def vary(shot: Shot, names: Sequence[str], rng: np.random.Generator) -> Shot:
    """A shot through these variations, in the order of `VARIATIONS`; the set of names and `rng` decide.

    Raises:
        UsageError: there is no such variation.
    """
    unknown = sorted(set(names) - set(VARIATIONS))
    if unknown:
        raise UsageError(f"there is no variation {unknown[0]!r}.", f"There are: {', '.join(VARIATIONS)}.")
    for name, change in VARIATIONS.items():
        if name in names:
            shot = change(shot, rng)
    return shot
