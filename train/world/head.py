"""A whole head from any side: skull, ears, hair, and the face on it.

Knows no body; what hangs behind the shoulders (long hair, a tail) is handed out apart, to go under the body.
"""

from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np

from train.world import face, palette
from train.world.face import HeadView
from train.world.palette import Colour
from train.world.sketch import Sketch
from train.world.traits import Identity

# Hairlines: azimuth in degrees from the middle of the face (0) to the nape (180), height (-1 crown, 1 chin).
_SHORT = (
    (0, -0.56),
    (34, -0.54),
    (54, -0.42),
    (66, -0.2),
    (78, 0.02),
    (88, 0.12),
    (100, 0.1),
    (125, 0.42),
    (180, 0.6),
)
_TIED = ((0, -0.66), (30, -0.6), (56, -0.4), (70, -0.12), (88, 0.0), (100, 0.12), (130, 0.4), (180, 0.62))
_LONG = ((0, -0.74), (24, -0.58), (46, -0.34), (62, 0.05), (72, 0.5), (80, 0.86), (110, 1.0), (180, 1.0))
_BOB = ((0, -0.27), (30, -0.27), (48, -0.22), (54, 0.2), (58, 0.66), (80, 0.74), (110, 0.76), (180, 0.78))
_CURLY = ((0, -0.46), (26, -0.5), (48, -0.34), (64, -0.02), (76, 0.24), (92, 0.34), (120, 0.5), (180, 0.68))
_PART_LEFT = (
    (-88, 0.1),
    (-72, -0.15),
    (-58, -0.44),
    (-36, -0.66),
    (-30, -0.8),
    (-12, -0.56),
    (14, -0.38),
    (44, -0.3),
)
_PART_RIGHT = ((58, -0.3), (72, -0.06), (88, 0.12))
_GROW = {
    "buzz": 1.03,
    "side_part": 1.1,
    "curly": 1.13,
    "long": 1.09,
    "bun": 1.05,
    "ponytail": 1.05,
    "bob": 1.11,
    "spiky": 1.04,
}


@dataclass(frozen=True, slots=True)
class HeadDrawing:
    """A head in its own plane (one unit is half a head height, y down) and the box around face and hair."""

    behind: Sketch
    front: Sketch
    box: tuple[float, float, float, float]  # x0, y0, x1, y1


def draw_head(identity: Identity, yaw_rad: float, pitch_rad: float, night: bool) -> HeadDrawing:
    """The head from this side; `behind` goes under the body if the person faces the camera."""
    view = face.view_head(identity, yaw_rad, pitch_rad, night)
    behind, front = Sketch(), Sketch()
    _draw_hanging(behind, view)
    if identity.hair_style == "bun" and cos(view.yaw_rad) > -0.2:
        _draw_bun(front, view)
    _draw_ears(front, view)
    front.fill(view.outline(), view.skin)
    _draw_cheek_shade(front, view)
    face.draw_beard(front, view)
    face.draw_mouth(front, view)
    face.draw_eyes(front, view)
    face.draw_nose(front, view)
    _draw_hair(front, view)
    face.draw_glasses(front, view)
    if identity.hair_style == "bun" and cos(view.yaw_rad) <= -0.2:
        _draw_bun(front, view)
    points = front.stacked()
    low, high = points.min(axis=0), points.max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), min(1.12, float(high[1])))
    return HeadDrawing(behind, front, box)


def _draw_ears(sketch: Sketch, view: HeadView) -> None:
    for side in (-1.0, 1.0):
        azimuth = side * radians(92.0)
        depth = view.depth(azimuth)
        if depth < -0.5:
            continue
        x, y = view.at(azimuth, 0.08)
        x += 0.05 * (1 if x > 0 else -1)
        sketch.ellipse(x, y, 0.09 + 0.06 * max(0.0, depth), 0.19, palette.shade(view.skin, 0.9), 12)


def _draw_near_ear(sketch: Sketch, view: HeadView) -> None:
    """In profile the ear lies on the head, over the hair."""
    for side in (-1.0, 1.0):
        if view.depth(side * radians(92.0)) > 0.35:
            x, y = view.at(side * radians(92.0), 0.1)
            sketch.ellipse(x, y, 0.13, 0.19, palette.shade(view.skin, 0.92), 12)
            sketch.ellipse(x, y + 0.01, 0.06, 0.11, palette.shade(view.skin, 0.72), 10)


def _draw_cheek_shade(sketch: Sketch, view: HeadView) -> None:
    """A darker rim on the side away from the light, which gives the head its roundness."""
    rim = [(view.width(y, 1.0), y) for y in (-0.6, -0.3, 0.0, 0.3, 0.55, 0.75, 0.9)]
    inner = [(x * 0.8, y * 0.97) for x, y in reversed(rim)]
    sketch.fill(rim + inner, palette.shade(view.skin, 0.88))


def _hairline(style: str) -> tuple[tuple[float, float], ...]:
    """(azimuth in degrees from -180 to 180, height) of where the hair begins."""
    if style == "side_part":
        left = tuple((-a, y) for a, y in reversed(_SHORT) if a > 90)
        return (*left, *_PART_LEFT, *_PART_RIGHT, *((a, y) for a, y in _SHORT if a > 90))
    half = {"long": _LONG, "bob": _BOB, "curly": _CURLY, "bun": _TIED, "ponytail": _TIED}.get(style, _SHORT)
    return (*((-float(a), y) for a, y in reversed(half)), *((float(a), y) for a, y in half[1:]))


def _near_hairline(view: HeadView, style: str) -> list[tuple[float, float]]:
    """The hairline's part on the near side, from the left outline to the right one."""
    line = _hairline(style)
    azimuths = np.array([a for a, _ in line])
    heights = np.array([y for _, y in line])
    yaw_deg = view.yaw_rad * 180 / pi
    turns = [-89.0, 89.0]
    turns += [
        turn
        for a in azimuths
        for turn in (a + yaw_deg, a + yaw_deg + 360, a + yaw_deg - 360)
        if -89 < turn < 89
    ]
    points = []
    for turn in sorted(turns):
        azimuth = (turn - yaw_deg + 180) % 360 - 180
        y = float(np.interp(azimuth, azimuths, heights))
        points.append(view.at(radians(turn) - view.yaw_rad, y))
    return points


def _draw_hair(sketch: Sketch, view: HeadView) -> None:
    style = view.identity.hair_style
    if style == "bald":
        sketch.ellipse(-0.22, -0.68, 0.2, 0.12, palette.mix(view.skin, (255, 255, 255), 0.3), 12)
        _draw_near_ear(sketch, view)
        return
    colour = palette.mix(view.skin, view.hair, 0.7) if style == "buzz" else view.hair
    grow = _GROW[style]
    line = _near_hairline(view, style)
    left_y, right_y = line[0][1], line[-1][1]
    cap = _cap(view, grow, left_y, right_y)
    if style == "curly":
        _draw_curls(sketch, view, cap, line, colour)
    elif style == "spiky":
        _draw_spikes(sketch, view, colour)
    sketch.fill([*cap, *reversed(line)], colour)
    _draw_texture(sketch, view, style, colour)
    if style not in ("long", "bob", "curly"):
        _draw_near_ear(sketch, view)


def _cap(view: HeadView, grow: float, left_y: float, right_y: float) -> list[tuple[float, float]]:
    """The outer edge of the hair, from the left end of the hairline over the crown to the right end."""
    ys = (0.9, 0.6, 0.3, 0.1, -0.15, -0.45, -0.7, -0.88, -0.97)
    left = [(-view.width(y, -1.0) * grow, y * grow) for y in ys if y < left_y]
    right = [(view.width(y, 1.0) * grow, y * grow) for y in reversed(ys) if y < right_y]
    start = (-view.width(left_y, -1.0) * grow, left_y)
    end = (view.width(right_y, 1.0) * grow, right_y)
    return [start, *left, (0.0, -grow), *right, end]


def _draw_curls(
    sketch: Sketch,
    view: HeadView,
    cap: list[tuple[float, float]],
    line: list[tuple[float, float]],
    colour: Colour,
) -> None:
    for index, (x, y) in enumerate(cap):
        size = 0.2 + 0.04 * (index % 3)
        sketch.ellipse(x * 0.99, y * 0.99, size, size, palette.shade(colour, 0.9 + 0.08 * (index % 2)), 12)
    for x, y in line[1:-1:2]:
        sketch.ellipse(x, y - 0.06, 0.13, 0.13, palette.shade(colour, 0.94), 10)


def _draw_spikes(sketch: Sketch, view: HeadView, colour: Colour) -> None:
    for index in range(7):
        turn = radians(-72 + 24 * index)
        side = sin(turn)
        width = view.width(-0.45, side)
        base_x, base_y = side * width, -0.42 - 0.5 * cos(turn)
        tip = (base_x * 1.32 + 0.05, base_y - 0.16 - 0.26 * cos(turn))
        sketch.fill(
            [(base_x - 0.19, base_y + 0.12), tip, (base_x + 0.19, base_y + 0.12)], palette.shade(colour, 0.96)
        )


def _draw_texture(sketch: Sketch, view: HeadView, style: str, colour: Colour) -> None:
    light, dark = palette.mix(colour, (255, 255, 255), 0.22), palette.shade(colour, 0.7)
    if style == "curly":
        for x, y in ((-0.45, -0.78), (0.0, -0.9), (0.42, -0.76), (-0.2, -0.66), (0.2, -0.7)):
            sketch.ellipse(x, y, 0.07, 0.05, light if x < 0 else dark, 8)
        return
    if style == "buzz":
        return
    sketch.line([(-0.5, -0.74), (-0.22, -0.9), (0.1, -0.94)], light, 0.07)
    if style == "side_part":
        parting = face.surface(view, [(-31, -0.78), (-34, -0.95)])
        if view.depth(radians(-31)) > 0.1:
            sketch.line(parting, palette.mix(colour, view.skin, 0.6), 0.06)
    if style == "long" and view.depth(0.0) > 0.2:
        sketch.line(face.surface(view, [(0, -0.74), (0, -1.0)]), dark, 0.05)
    if style in ("long", "bob") and view.depth(0.0) < 0.2:
        for x in (-0.35, 0.0, 0.35):
            sketch.line([(x, -0.5), (x * 1.1, 0.7)], dark, 0.04)


def _draw_bun(sketch: Sketch, view: HeadView) -> None:
    x, y = -0.42 * sin(view.yaw_rad), -1.1
    sketch.ellipse(x, y, 0.36, 0.33, palette.shade(view.hair, 0.86), 16)
    sketch.ellipse(x - 0.06, y - 0.06, 0.2, 0.17, view.hair, 12)
    sketch.line([(x - 0.22, y + 0.24), (x + 0.22, y + 0.24)], palette.shade(view.hair, 0.6), 0.06)


def _draw_hanging(sketch: Sketch, view: HeadView) -> None:
    """Hair that falls below the chin."""
    style = view.identity.hair_style
    side = sin(view.yaw_rad)
    back = -side
    if style == "long":
        shift = 0.3 * back
        half = 0.98 - 0.25 * abs(side)
        sketch.fill(
            [
                (-half + shift, -0.3),
                (half + shift, -0.3),
                (half + 0.06 + shift, 1.0),
                (half - 0.1 + shift * 1.3, 2.0),
                (shift * 1.3, 2.08),
                (-half + 0.1 + shift * 1.3, 2.0),
                (-half - 0.06 + shift, 1.0),
            ],
            palette.shade(view.hair, 0.86),
        )
    elif style == "bob":
        shift, half = 0.16 * back, 0.98 - 0.16 * abs(side)
        dark = palette.shade(view.hair, 0.86)
        edge = [(half + 0.04 + shift, 0.66), (half - 0.2 + shift, 0.86), (-half + 0.2 + shift, 0.86)]
        sketch.fill([(-half + shift, -0.2), (half + shift, -0.2), *edge, (-half - 0.04 + shift, 0.66)], dark)
    elif style == "ponytail":
        root = 0.92 * back + 0.34 * cos(view.yaw_rad)
        way = 1.0 if root >= 0 else -1.0
        tail = [
            (root * 0.7, -0.75),
            (root + 0.3 * way, -0.62),
            (root + 0.62 * way, 0.2),
            (root + 0.5 * way, 1.35),
        ]
        sketch.fill([*tail, (root + 0.2 * way, 0.7), (root * 0.8, -0.2)], palette.shade(view.hair, 0.9))
