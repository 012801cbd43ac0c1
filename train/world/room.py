"""Rooms: walls, floor and furniture as a sketch in the room plane (384 x 288, drawn past its edges).

Knows no people, no camera, and nothing that stands in front of people (see `foreground`).
"""

import numpy as np

from train.world import palette
from train.world.furniture import EAST, FLOOR_Y, FURNISH, NORTH, SOUTH, WEST, Maker
from train.world.head import draw_head
from train.world.script import Room
from train.world.sketch import Sketch, placement


def draw_room(room: Room) -> Sketch:
    """Everything behind the people."""
    make = Maker(room)
    back, out = Sketch(), Sketch()
    back.rect(WEST, NORTH, EAST, FLOOR_Y, room.wall_rgb)
    back.rect(WEST, FLOOR_Y, EAST, SOUTH, room.floor_rgb)
    FURNISH[room.kind](make)
    if make.mirror:
        flip = np.array([[-1.0, 0.0, 384.0], [0.0, 1.0, 0.0]], dtype=np.float32)
        make.sketch = make.sketch.moved(flip)
    out.add(back)
    _draw_floor(out, room, make)
    out.rect(WEST, FLOOR_Y - 6, EAST, FLOOR_Y, palette.shade(room.wall_rgb, 0.72))
    out.add(make.sketch)
    if room.photo is not None:
        _draw_photo(out, room, make)
    return out


def _draw_floor(out: Sketch, room: Room, make: Maker) -> None:
    dark = palette.shade(room.floor_rgb, 0.88)
    if room.kind in ("kitchen", "bathroom"):
        for y in (200.0, 220.0, 250.0, 292.0, 350.0):
            out.line([(WEST, y), (EAST, y)], dark, 1.2)
        for step in range(-14, 15):
            out.line([(192 + step * 30, FLOOR_Y), (192 + step * 78, 420)], dark, 1.2)
    else:
        for y in (196.0, 209.0, 226.0, 248.0, 276.0, 312.0, 360.0):
            out.line([(WEST, y), (EAST, y)], dark, 1.0)


def _draw_photo(out: Sketch, room: Room, make: Maker) -> None:
    """A framed photograph of somebody: nobody's presence."""
    if room.photo is None:
        return
    x = make.jitter(150, 250)
    y = make.jitter(40, 62)
    out.rect(x - 24, y - 28, x + 24, y + 28, palette.shade(make.wood, 0.7))
    out.rect(x - 20, y - 24, x + 20, y + 24, (206, 212, 214))
    head = draw_head(room.photo, 0.0, 0.0, False)
    out.fill([(x - 15, y + 24), (x - 10, y + 13), (x + 10, y + 13), (x + 15, y + 24)], make.cloth)
    out.add(head.front.moved(placement(x, y - 1, 14.0)))
