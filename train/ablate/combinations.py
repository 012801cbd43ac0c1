"""Combinations of deed and room, and of colour and garment, that training never shows. Knows no training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.base.world_data import WorldData

_EVERY = 10


def held_out_combination(data: WorldData) -> NDArray[np.bool_]:
    """bool (N,): clips in which somebody does something in a room, or wears a top in a colour, kept apart.

    One combination in ten of each; every deed, room, colour and garment is still seen in others.
    """
    truth = data.truth
    there = truth["who"] >= 0
    deed = (7 * truth["action"] + 3 * truth["room"][:, None]) % _EVERY == 0
    dress = (7 * truth["top"] + 3 * truth["kind"]) % _EVERY == 0
    return np.asarray((there & (deed | dress)).any(axis=1))
