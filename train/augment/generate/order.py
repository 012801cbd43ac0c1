"""What a generator is asked for, and what it is. Knows no generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Order:
    """One clip that is wanted.

    Attributes:
        name: tells orders of one generator apart, such as a scene or a driver; without spaces.
        still: uint8 (H, W, 3) RGB, the person's best view.
        prompt: what is to be seen, in words. driver: a clip whose motion is to be taken over, or None.
        seed: the same seed gives the same clip, as far as the generator keeps to it.
    """

    name: str
    still: Frames
    prompt: str
    driver: Path | None
    seed: int


class Generator(Protocol):
    """Makes clips of a person from a still.

    Attributes:
        name: as the dataset calls it. licence: of its code and weights, in words, for the datasheet.
        settings: everything that changes what it makes: with an order, the key of a clip.
    """

    name: str
    licence: str
    settings: str

    def generate(self, order: Order) -> tuple[Frames, float]:
        """Frames uint8 (T, H, W, 3) and their rate; T may be 1, for a picture.

        Raises:
            UsageError: something is not installed. ContentError: it made nothing that can be used.
        """
        ...
