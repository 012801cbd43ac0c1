"""Scenes for generated clips, in words of our own, by age group. Knows no generator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

_ANYBODY = (
    "sits at a kitchen table with a cup of tea and looks up with a smile",
    "stands at a window in the morning light and turns to the camera",
    "walks down a hallway towards the camera",
    "reads in an armchair under a warm lamp",
    "waves at the camera from a front door",
    "talks on a sofa, nodding now and then",
    "puts on a coat in a hallway",
    "waters the plants on a window sill",
    "laughs at something on the other side of the room",
    "comes in from the garden with a basket",
    "stretches in a bedroom with the curtains open",
    "looks for something on a shelf, then turns round",
)
_BY_AGE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "child": (
            "builds a tower of wooden blocks on a carpet",
            "draws at a small table and holds up the picture",
            "runs through a living room in socks",
            "eats an apple on a kitchen stool",
        ),
        "young": ("works at a laptop on a dining table", "dances in a kitchen while music plays"),
        "middle-aged": ("cooks at a stove and tastes the soup", "sorts letters at a desk"),
        "elderly": ("knits in an armchair by the window", "solves a crossword with glasses in hand"),
    }
)
_SAME_FACE = (
    "The face stays the same throughout: its shape, its skin colour, its age. "
    "A home camera, sharp, natural light."
)


def scenes(age_group: str, count: int, rng: np.random.Generator) -> list[str]:
    """`count` scenes for somebody of this age group, or of none that is known; none twice while they last."""
    known = (*_BY_AGE.get(age_group, ()), *_ANYBODY)
    return [known[index] for _ in range(-(-count // len(known))) for index in rng.permutation(len(known))][
        :count
    ]


def prompt_of(who: str, scene: str) -> str:
    """One prompt; `who` is such as "an elderly woman with grey hair"."""
    return f"{who[:1].upper()}{who[1:]} {scene}. {_SAME_FACE}"
