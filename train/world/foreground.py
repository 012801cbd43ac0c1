"""What stands between the camera and the people: a plant, a table, a door's edge, a post.

Knows no room behind it; coordinates are room pixels.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from train.world import palette
from train.world.furniture import EAST, NORTH, SOUTH, WEST, WOODS
from train.world.script import Room
from train.world.sketch import Sketch


def draw_foreground(room: Room) -> Sketch:
    """What stands between the camera and the people."""
    rng = np.random.default_rng(room.layout_seed + 1)
    out = Sketch()
    for entry in room.foreground:
        name, _, place = entry.partition(":")
        _FRONT[name](out, rng, float(place) if place else None)
    return out


def _front_plant(out: Sketch, rng: np.random.Generator, place_px: float | None) -> None:
    x = float(rng.choice([rng.uniform(-6, 46), rng.uniform(338, 392)])) if place_px is None else place_px
    y = 250.0 + float(rng.uniform(-8, 20))
    for index in range(13):
        turn = float(rng.uniform(-1.15, 1.15))
        long = float(rng.uniform(60, 118))
        tip = (x + np.sin(turn) * long, y - np.cos(turn) * long)
        mid = (x + np.sin(turn) * long * 0.55, y - np.cos(turn) * long * 0.55)
        green = palette.mix((44, 96, 52), (96, 160, 76), index / 13)
        out.fill([(x, y), (mid[0] - 9, mid[1] - 2), tip, (mid[0] + 9, mid[1] + 2)], green)
    pot = (176, 92, 60)
    out.fill([(x - 24, y - 6), (x + 24, y - 6), (x + 18, y + 60), (x - 18, y + 60)], pot)


def _front_table(out: Sketch, rng: np.random.Generator, place_px: float | None) -> None:
    wood = WOODS[int(rng.integers(len(WOODS)))]
    x, y, wide = float(rng.uniform(-60, 240)), float(rng.uniform(196, 226)), float(rng.uniform(120, 220))
    x = x if place_px is None else place_px - wide / 2
    out.fill([(x, y), (x + wide, y), (x + wide + 14, y + 18), (x - 14, y + 18)], wood)
    out.rect(x - 14, y + 18, x + wide + 14, y + 26, palette.shade(wood, 0.75))
    for left in (x - 6, x + wide - 4):
        out.rect(left, y + 26, left + 10, y + 120, palette.shade(wood, 0.66))


def _front_post(out: Sketch, rng: np.random.Generator, place_px: float | None) -> None:
    wide = float(rng.uniform(24, 44))
    x = (float(rng.uniform(20, 364)) if place_px is None else place_px) - wide / 2
    shade = palette.grey(float(rng.uniform(110, 235)))
    out.rect(x, NORTH, x + wide, SOUTH, shade)
    out.rect(x + wide * 0.7, NORTH, x + wide, SOUTH, palette.shade(shade, 0.86))


def _front_door(out: Sketch, rng: np.random.Generator, place_px: float | None) -> None:
    wood = palette.shade(WOODS[int(rng.integers(len(WOODS)))], 0.8)
    if rng.integers(2):
        edge = float(rng.uniform(-20, 46)) if place_px is None else place_px
        out.rect(WEST, NORTH, edge, SOUTH, wood)
        out.rect(edge - 8, NORTH, edge, SOUTH, palette.shade(wood, 0.8))
    else:
        edge = float(rng.uniform(338, 404)) if place_px is None else place_px
        out.rect(edge, NORTH, EAST, SOUTH, wood)
        out.rect(edge, NORTH, edge + 8, SOUTH, palette.shade(wood, 0.8))


_FRONT: Mapping[str, Callable[[Sketch, np.random.Generator, float | None], None]] = MappingProxyType(
    {"plant": _front_plant, "table": _front_table, "door": _front_door, "post": _front_post}
)
