"""Colours by name, as RGB triples 0..255, by daylight and under infrared.

Knows no shapes and no light: brightness and tint are put over the finished frame.
"""

from collections.abc import Mapping
from types import MappingProxyType

Colour = tuple[int, int, int]

SKIN: Mapping[str, Colour] = MappingProxyType(
    {
        "porcelain": (248, 222, 205),
        "light": (236, 190, 158),
        "olive": (214, 166, 112),
        "tan": (180, 122, 78),
        "brown": (132, 84, 54),
        "dark": (82, 52, 38),
    }
)
HAIR: Mapping[str, Colour] = MappingProxyType(
    {
        "black": (28, 26, 32),
        "brown": (92, 58, 34),
        "auburn": (138, 42, 30),
        "ginger": (218, 108, 34),
        "blond": (232, 196, 98),
        "grey": (138, 140, 146),
        "white": (232, 232, 230),
        "blue": (52, 84, 170),
    }
)
EYES: Mapping[str, Colour] = MappingProxyType(
    {"brown": (84, 46, 22), "blue": (52, 116, 214), "green": (58, 150, 70), "grey": (134, 142, 150)}
)
CLOTH: Mapping[str, Colour] = MappingProxyType(
    {
        "red": (200, 42, 44),
        "orange": (238, 132, 34),
        "yellow": (244, 212, 60),
        "green": (54, 148, 74),
        "teal": (32, 150, 156),
        "blue": (44, 88, 194),
        "purple": (126, 66, 166),
        "pink": (240, 142, 178),
        "white": (240, 240, 238),
        "black": (40, 40, 44),
        "grey": (140, 142, 146),
        "brown": (126, 84, 52),
    }
)
BOTTOM_COLOURS: tuple[str, ...] = ("blue", "black", "grey", "brown", "white", "green", "red")

NIGHT_SKIN: Colour = (204, 204, 204)
NIGHT_HAIR: Colour = (104, 104, 104)
NIGHT_EYE: Colour = (70, 70, 70)
NIGHT_LIP: Colour = (160, 160, 160)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour times `factor`, clipped to 0..255."""
    r, g, b = colour
    return (min(255, int(r * factor)), min(255, int(g * factor)), min(255, int(b * factor)))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` 0..1 of the second colour in the first."""
    keep = 1.0 - share
    return (
        int(first[0] * keep + second[0] * share),
        int(first[1] * keep + second[1] * share),
        int(first[2] * keep + second[2] * share),
    )


def grey(level: float) -> Colour:
    """A grey of this level, 0..255."""
    value = max(0, min(255, int(level)))
    return (value, value, value)
