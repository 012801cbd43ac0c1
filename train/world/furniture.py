"""Furniture by kind of room, drawn with random numbers of the room's own.

Knows no walls behind it and no people; coordinates are room pixels, the floor begins at `FLOOR_Y`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from train.world import palette
from train.world.palette import Colour
from train.world.script import Room
from train.world.sketch import Sketch

WEST, EAST, NORTH, SOUTH = -260.0, 640.0, -220.0, 520.0
FLOOR_Y = 186.0
WOODS: tuple[Colour, ...] = (
    (150, 104, 62),
    (196, 156, 104),
    (104, 68, 44),
    (222, 212, 196),
    (120, 124, 130),
)
_FABRICS: tuple[Colour, ...] = (
    (92, 108, 132),
    (150, 84, 72),
    (104, 128, 92),
    (176, 156, 128),
    (120, 96, 130),
    (70, 76, 84),
)


class Maker:
    """What every room's furniture needs: the sketch, the random numbers, a mirror."""

    def __init__(self, room: Room) -> None:
        self.sketch = Sketch()
        self.rng = np.random.default_rng(room.layout_seed)
        self.mirror = bool(self.rng.integers(2))
        self.wood = WOODS[int(self.rng.integers(len(WOODS)))]
        self.cloth = _FABRICS[int(self.rng.integers(len(_FABRICS)))]
        self.room = room

    def jitter(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def box(self, x: float, y: float, wide: float, tall: float, colour: Colour) -> None:
        self.sketch.rect(x, y, x + wide, y + tall, colour)


def _window(make: Maker, x: float, y: float, wide: float, tall: float) -> None:
    make.box(x - 4, y - 4, wide + 8, tall + 8, (238, 236, 230))
    make.box(x, y, wide, tall, palette.mix((150, 196, 232), (222, 236, 246), make.jitter(0, 1)))
    make.box(x + wide / 2 - 1.5, y, 3, tall, (238, 236, 230))
    if make.chance(0.5):
        curtain = palette.mix(make.cloth, (255, 255, 255), 0.35)
        for left in (x - 14, x + wide - 4):
            make.box(left, y - 9, 18, tall + 26, curtain)
            make.box(left + 8, y - 9, 3, tall + 26, palette.shade(curtain, 0.85))


def _kitchen(make: Maker) -> None:
    wood, dark = make.wood, palette.shade(make.wood, 0.72)
    shift = make.jitter(-16, 16)
    for y in range(4):
        for column in range(24):
            if (column + y) % 2:
                make.box(-60 + column * 20, 92 + y * 12, 19, 11, palette.shade(make.room.wall_rgb, 0.93))
    for index in range(6):
        if index != 2 or make.chance(0.4):
            x = -50 + index * 52 + shift
            make.box(x, 34, 50, 50, wood)
            make.sketch.line([(x, 34), (x + 50, 34), (x + 50, 84), (x, 84)], dark, 1.5, closed=True)
            make.box(x + 42, 62, 3, 12, (220, 220, 216))
    make.box(-70 + shift, 136, 330, 8, (214, 210, 204))
    make.box(-70 + shift, 144, 330, 54, palette.shade(wood, 0.95))
    for index in range(6):
        x = -66 + index * 54 + shift
        make.sketch.line([(x, 148), (x + 50, 148), (x + 50, 194), (x, 194)], dark, 1.5, closed=True)
        make.box(x + 18, 152, 14, 3, (220, 220, 216))
    stove = 42 + shift + make.jitter(-8, 20)
    make.box(stove, 134, 54, 64, (226, 228, 230))
    make.box(stove + 6, 156, 42, 30, (38, 40, 46))
    make.box(stove + 4, 146, 46, 4, (150, 152, 156))
    for index in range(4):
        make.sketch.ellipse(stove + 9 + index * 12, 141, 3, 2.4, (60, 60, 64), 10)
    make.box(stove + 8, 118, 26, 15, palette.mix((180, 60, 50), (70, 100, 150), make.jitter(0, 1)))
    make.box(stove + 2, 34, 50, 14, (170, 174, 178))
    sink = 140 + shift + make.jitter(-6, 16)
    make.box(sink, 133, 44, 5, (150, 156, 162))
    make.sketch.line(
        [(sink + 22, 133), (sink + 22, 112), (sink + 32, 112), (sink + 32, 118)], (166, 172, 178), 3
    )
    fridge = 282 + shift + make.jitter(-8, 16)
    steel = palette.mix((232, 234, 236), (170, 178, 186), make.jitter(0, 1))
    make.box(fridge, 42, 66, 160, steel)
    make.box(fridge, 96, 66, 3, palette.shade(steel, 0.7))
    make.box(fridge + 7, 66, 4, 24, palette.shade(steel, 0.6))
    make.box(fridge + 7, 106, 4, 40, palette.shade(steel, 0.6))
    make.box(fridge + 30, 56, 12, 12, (236, 208, 88))


def _living_room(make: Maker) -> None:
    shift = make.jitter(-24, 24)
    if make.chance(0.6):
        make.sketch.ellipse(190 + shift, 236, 170, 34, palette.mix(make.cloth, (230, 220, 200), 0.4), 28)
        make.sketch.ellipse(190 + shift, 236, 144, 27, palette.mix(make.cloth, (230, 220, 200), 0.6), 28)
    sofa, dark = make.cloth, palette.shade(make.cloth, 0.78)
    x = 26 + shift
    make.box(x, 118, 170, 52, palette.shade(sofa, 0.92))
    for index in range(3):
        make.box(x + 8 + index * 52, 122, 49, 40, sofa)
    make.box(x - 2, 158, 174, 26, sofa)
    make.box(x - 2, 180, 174, 14, dark)
    make.box(x - 14, 136, 22, 60, dark)
    make.box(x + 162, 136, 22, 60, dark)
    pillow = palette.CLOTH[str(make.rng.choice(["red", "yellow", "teal", "orange", "purple"]))]
    make.sketch.fill([(x + 20, 130), (x + 50, 126), (x + 54, 156), (x + 24, 160)], pillow)
    if make.chance(0.5):
        _window(make, x + 40, 20, 80, 70)
    else:
        make.box(x + 44, 34, 76, 52, palette.shade(make.wood, 0.8))
        make.box(x + 49, 39, 66, 42, (168, 200, 214))
        make.sketch.fill(
            [(x + 49, 81), (x + 70, 52), (x + 86, 68), (x + 98, 56), (x + 115, 81)], (92, 130, 84)
        )
    shelf = 262 + shift * 0.6
    if make.chance(0.5):
        make.box(shelf, 36, 86, 156, palette.shade(make.wood, 0.9))
        for row in range(4):
            make.box(shelf + 5, 42 + row * 38, 76, 32, palette.shade(make.wood, 0.6))
            left = shelf + 7
            while left < shelf + 74:
                wide, tall = make.jitter(4, 9), make.jitter(18, 29)
                hue = list(palette.CLOTH.values())[int(make.rng.integers(12))]
                make.box(left, 74 + row * 38 - tall, wide, tall, palette.shade(hue, 0.85))
                left += wide + make.jitter(0.5, 4)
    else:
        make.box(shelf - 6, 160, 110, 34, make.wood)
        make.box(shelf - 4, 92, 104, 62, (22, 24, 30))
        make.box(shelf, 96, 96, 54, (44, 56, 76))
        make.box(shelf + 44, 154, 12, 6, (30, 30, 34))
    lamp = 226 + shift
    make.box(lamp, 70, 3, 124, (80, 76, 72))
    make.sketch.fill([(lamp - 10, 46), (lamp + 13, 46), (lamp + 22, 76), (lamp - 19, 76)], (244, 226, 170))
    make.sketch.ellipse(lamp + 1.5, 194, 14, 4, (80, 76, 72), 12)


def _bedroom(make: Maker) -> None:
    shift = make.jitter(-20, 24)
    x = 40 + shift
    make.box(x, 104, 150, 76, make.wood)
    make.box(x + 6, 110, 138, 40, palette.shade(make.wood, 0.86))
    for left in (x + 16, x + 82):
        make.sketch.ellipse(left + 26, 150, 30, 13, (244, 244, 246), 18)
    blanket = palette.mix(make.cloth, (255, 255, 255), make.jitter(0.1, 0.5))
    make.sketch.fill([(x - 2, 158), (x + 152, 158), (x + 172, 214), (x - 22, 214)], blanket)
    make.sketch.fill([(x - 2, 158), (x + 152, 158), (x + 155, 168), (x - 5, 168)], (240, 240, 244))
    make.sketch.fill(
        [(x - 22, 214), (x + 172, 214), (x + 172, 230), (x - 22, 230)], palette.shade(blanket, 0.78)
    )
    if make.chance(0.6):
        for index in range(5):
            make.sketch.line(
                [(x + index * 36, 170), (x - 14 + index * 44, 214)], palette.shade(blanket, 0.85), 3
            )
    table = x + 162
    make.box(table, 154, 36, 42, palette.shade(make.wood, 0.8))
    make.box(table + 4, 162, 28, 3, (220, 210, 190))
    make.box(table + 15, 134, 5, 20, (120, 110, 100))
    make.sketch.fill(
        [(table + 8, 112), (table + 28, 112), (table + 34, 136), (table + 2, 136)], (248, 226, 164)
    )
    wardrobe = 270 + shift * 0.7
    make.box(wardrobe, 28, 96, 170, palette.shade(make.wood, 1.05))
    make.box(wardrobe + 47, 28, 2.5, 170, palette.shade(make.wood, 0.6))
    for left in (wardrobe + 38, wardrobe + 54):
        make.box(left, 104, 4, 22, (206, 200, 186))
    if make.chance(0.7):
        _window(make, x + 42, 14, 70, 60)


def _bathroom(make: Maker) -> None:
    tile = palette.mix(make.room.wall_rgb, (255, 255, 255), 0.35)
    line = palette.shade(tile, 0.86)
    make.box(WEST, 78, EAST - WEST, FLOOR_Y - 78, tile)
    for y in range(78, 186, 16):
        make.sketch.line([(WEST, y), (EAST, y)], line, 1.0)
    for x in range(-256, 640, 18):
        make.sketch.line([(x, 78), (x, FLOOR_Y)], line, 1.0)
    shift = make.jitter(-16, 20)
    tub = -34 + shift
    make.box(tub, 142, 170, 10, (250, 250, 250))
    make.sketch.fill([(tub + 4, 152), (tub + 166, 152), (tub + 154, 206), (tub + 16, 206)], (236, 238, 240))
    make.sketch.line([(tub + 20, 142), (tub + 20, 44), (tub + 44, 44)], (176, 182, 188), 3)
    make.box(tub + 36, 44, 18, 5, (176, 182, 188))
    if make.chance(0.6):
        curtain = palette.mix(make.cloth, (255, 255, 255), 0.4)
        make.box(tub - 30, 30, 34, 160, curtain)
        for index in range(4):
            make.box(tub - 27 + index * 9, 30, 2.5, 160, palette.shade(curtain, 0.84))
    basin = 168 + shift
    make.box(basin + 4, 46, 62, 60, (186, 198, 206))
    make.box(basin + 8, 50, 54, 52, (208, 226, 234))
    make.sketch.fill(
        [(basin + 14, 98), (basin + 44, 54), (basin + 54, 54), (basin + 24, 98)], (230, 242, 246)
    )
    make.box(basin, 134, 70, 9, (250, 250, 250))
    make.sketch.fill(
        [(basin + 4, 143), (basin + 66, 143), (basin + 52, 160), (basin + 18, 160)], (236, 238, 240)
    )
    make.box(basin + 28, 160, 14, 36, (228, 230, 232))
    make.box(basin + 32, 120, 5, 14, (166, 172, 178))
    toilet = 282 + shift
    make.box(toilet, 118, 46, 34, (246, 246, 248))
    make.sketch.ellipse(toilet + 23, 160, 30, 10, (252, 252, 252), 18)
    make.sketch.fill(
        [(toilet - 6, 162), (toilet + 52, 162), (toilet + 38, 202), (toilet + 8, 202)], (234, 236, 238)
    )
    make.box(
        toilet + 62, 96, 24, 40, palette.CLOTH[str(make.rng.choice(["red", "blue", "green", "pink", "teal"]))]
    )
    make.box(toilet + 58, 92, 32, 4, (150, 154, 160))


def _hallway(make: Maker) -> None:
    shift = make.jitter(-18, 18)
    wall = make.room.wall_rgb
    make.sketch.fill(
        [(WEST, NORTH), (96 + shift, 20), (96 + shift, FLOOR_Y), (WEST, 330)], palette.shade(wall, 0.86)
    )
    make.sketch.fill(
        [(EAST, NORTH), (288 + shift, 20), (288 + shift, FLOOR_Y), (EAST, 330)], palette.shade(wall, 0.93)
    )
    make.sketch.fill(
        [(96 + shift, 20), (288 + shift, 20), (EAST, NORTH), (WEST, NORTH)],
        palette.mix(wall, (255, 255, 255), 0.5),
    )
    door = 156 + shift + make.jitter(-16, 16)
    make.box(door - 5, 58, 74, 128, (240, 238, 232))
    make.box(door, 63, 64, 123, make.wood)
    for y in (72, 128):
        for x in (door + 7, door + 36):
            make.box(x, y, 21, 46, palette.shade(make.wood, 0.86))
    make.sketch.ellipse(door + 57, 126, 3.4, 3.4, (224, 196, 90), 10)
    side = palette.shade(make.wood, 0.9)
    make.sketch.fill(
        [(6 + shift, 34), (62 + shift, 48), (62 + shift, 203), (6 + shift, 236)], (236, 232, 224)
    )
    make.sketch.fill([(11 + shift, 42), (57 + shift, 54), (57 + shift, 202), (11 + shift, 232)], side)
    make.sketch.ellipse(48 + shift, 136, 3, 4, (224, 196, 90), 10)
    make.sketch.fill(
        [(296 + shift, 78), (372 + shift, 70), (372 + shift, 77), (296 + shift, 83)],
        palette.shade(make.wood, 0.7),
    )
    for index in range(4):
        x = 304 + index * 18 + shift
        if make.chance(0.75):
            coat = palette.shade(list(palette.CLOTH.values())[int(make.rng.integers(12))], 0.8)
            long = make.jitter(40, 74)
            make.sketch.fill([(x - 3, 82), (x + 5, 82), (x + 13, 92 + long), (x - 10, 92 + long)], coat)
    if make.chance(0.7):
        mat = palette.mix(make.cloth, (200, 180, 150), 0.3)
        make.sketch.fill([(130 + shift, 192), (254 + shift, 192), (300 + shift, 300), (84 + shift, 300)], mat)
        make.sketch.fill(
            [(140 + shift, 197), (244 + shift, 197), (280 + shift, 290), (104 + shift, 290)],
            palette.shade(mat, 0.85),
        )


FURNISH: Mapping[str, Callable[[Maker], None]] = MappingProxyType(
    {
        "kitchen": _kitchen,
        "living_room": _living_room,
        "bedroom": _bedroom,
        "bathroom": _bathroom,
        "hallway": _hallway,
    }
)
