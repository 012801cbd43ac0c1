"""The front of a head: eyes, brows, nose, mouth, beard, glasses, laid on the head's surface.

Knows no hair on the skull (see `head`) and no place in the picture; a unit is half a head height, y grows
down.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np

from train.world import palette
from train.world.palette import Colour
from train.world.sketch import Sketch
from train.world.traits import Identity

_YS = (-1.0, -0.97, -0.88, -0.7, -0.45, -0.15, 0.1, 0.3, 0.5, 0.68, 0.83, 0.94, 1.0)
_SKULL = (0.0, 0.24, 0.47, 0.68)
_WIDTHS: dict[str, tuple[float, ...]] = {
    "oval": (*_SKULL, 0.77, 0.79, 0.77, 0.73, 0.66, 0.56, 0.43, 0.28, 0.0),
    "round": (*_SKULL, 0.81, 0.87, 0.89, 0.88, 0.83, 0.73, 0.58, 0.37, 0.0),
    "square": (*_SKULL, 0.77, 0.80, 0.80, 0.80, 0.79, 0.77, 0.71, 0.58, 0.42),
    "pointed": (*_SKULL, 0.79, 0.81, 0.76, 0.67, 0.54, 0.40, 0.26, 0.14, 0.0),
    "long": (0.0, 0.22, 0.42, 0.58, 0.64, 0.645, 0.635, 0.62, 0.59, 0.54, 0.46, 0.34, 0.12),
}
_PROFILE_FRONT = (0.0, 0.24, 0.47, 0.66, 0.76, 0.77, 0.75, 0.76, 0.75, 0.72, 0.70, 0.62, 0.40)
_PROFILE_BACK = (0.0, 0.30, 0.58, 0.84, 0.97, 0.98, 0.90, 0.74, 0.52, 0.36, 0.20, 0.0, -0.10)


@dataclass(frozen=True, slots=True)
class HeadView:
    """A head seen at one angle: widths left and right of the axis by height, and what is on the near side.

    `yaw_rad`: 0 to the camera, positive turns to the image's right. `pitch_rad`: positive nods down.
    """

    identity: Identity
    yaw_rad: float
    pitch_rad: float
    night: bool
    left: tuple[float, ...]
    right: tuple[float, ...]

    def width(self, y: float, side: float) -> float:
        """Distance from the axis to the outline at height y, on the right for side > 0."""
        widths = self.right if side > 0 else self.left
        if y <= -1.0:
            return widths[0]
        if y >= 1.0:
            return widths[-1]
        index = bisect_right(_YS, y)
        low, high = _YS[index - 1], _YS[index]
        return widths[index - 1] + (widths[index] - widths[index - 1]) * (y - low) / (high - low)

    def depth(self, azimuth_rad: float) -> float:
        """1 on the point nearest to the camera, 0 on the outline, below 0 behind."""
        return cos(azimuth_rad + self.yaw_rad)

    def at(self, azimuth_rad: float, y: float) -> tuple[float, float]:
        """Where a point of the head's surface lies in the picture of the head."""
        turn = azimuth_rad + self.yaw_rad
        lowered = y + sin(self.pitch_rad) * 0.75 * cos(turn) * max(0.0, 1.0 - y * y)
        side = sin(turn)
        return side * self.width(lowered, side), lowered

    def outline(self, grow: float = 1.0, top: float = -1.0, bottom: float = 1.0) -> list[tuple[float, float]]:
        """The outline from the lower left over the crown to the lower right, between two heights."""
        ys = [y for y in _YS if top < y < bottom]
        if bottom <= 1.0:
            ys.append(bottom)
        if top > -1.0:
            ys.insert(0, top)
        left = [(-self.width(y, -1.0) * grow, y * grow) for y in reversed(ys)]
        right = [(self.width(y, 1.0) * grow, y * grow) for y in ys]
        crown = [(0.0, -grow)] if top <= -1.0 else []
        return left + crown + right

    @property
    def skin(self) -> Colour:
        return palette.NIGHT_SKIN if self.night else palette.SKIN[self.identity.skin_tone]

    @property
    def hair(self) -> Colour:
        return palette.NIGHT_HAIR if self.night else palette.HAIR[self.identity.hair_colour]


def view_head(identity: Identity, yaw_rad: float, pitch_rad: float, night: bool) -> HeadView:
    """The widths of this face shape seen from this angle."""
    yaw = (yaw_rad + pi) % (2 * pi) - pi
    share = sin(yaw)
    front = np.array(_WIDTHS[identity.face_shape])
    turned = abs(share)
    jaw = front / np.array(_WIDTHS["oval"]).clip(0.3) * 0.5 + 0.5  # a broad jaw stays broad in profile
    nose_side = front * (1 - turned) + np.array(_PROFILE_FRONT) * jaw.clip(0.86, 1.06) * turned
    nape_side = front * (1 - turned) + np.array(_PROFILE_BACK) * turned
    left, right = (nape_side, nose_side) if share > 0 else (nose_side, nape_side)
    return HeadView(identity, yaw, pitch_rad, night, tuple(left.tolist()), tuple(right.tolist()))


def surface(view: HeadView, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(azimuth in degrees, y) pairs, those far behind the outline pulled onto it."""
    limit = radians(88.0)
    placed = []
    for azimuth_deg, y in points:
        turn = (radians(azimuth_deg) + view.yaw_rad + pi) % (2 * pi) - pi
        placed.append(view.at(max(-limit, min(limit, turn)) - view.yaw_rad, y))
    return placed


def draw_beard(sketch: Sketch, view: HeadView) -> None:
    """Stubble, goatee or full beard; the moustache comes with the mouth."""
    kind = view.identity.beard
    if kind in ("none", "moustache"):
        return
    if abs(view.yaw_rad) > radians(125):
        return
    colour = palette.mix(view.skin, view.hair, 0.42) if kind == "stubble" else palette.shade(view.hair, 0.92)
    if kind == "goatee":
        sketch.fill(
            surface(view, [(-17, 0.66), (17, 0.66), (22, 0.86), (12, 1.06), (-12, 1.06), (-22, 0.86)]), colour
        )
        return
    top = [
        (-86, 0.1),
        (-74, 0.34),
        (-50, 0.5),
        (-26, 0.48),
        (0, 0.45),
        (26, 0.48),
        (50, 0.5),
        (74, 0.34),
        (86, 0.1),
    ]
    upper = surface(view, top)
    grow = 1.09 if kind == "full" else 1.0
    low_left = min(upper, key=lambda point: point[0])
    low_right = max(upper, key=lambda point: point[0])
    ys = (0.3, 0.5, 0.68, 0.83, 0.94, 1.0)
    right = [(view.width(y, 1.0) * grow, y * grow) for y in ys if y > low_right[1]]
    left = [(-view.width(y, -1.0) * grow, y * grow) for y in reversed(ys) if y > low_left[1]]
    sketch.fill([*upper, *right, *left], colour)


def draw_eyes(sketch: Sketch, view: HeadView) -> None:
    """Both eyes with their brows, as far as they are on the near side."""
    identity = view.identity
    iris = palette.NIGHT_EYE if view.night else palette.EYES[identity.eye_colour]
    pupil = (245, 245, 245) if view.night else (16, 14, 16)
    brow = palette.shade(view.hair, 0.8)
    for side in (-1.0, 1.0):
        azimuth = side * radians(27.0)
        depth = view.depth(azimuth)
        if depth < 0.12:
            continue
        x, y = view.at(azimuth, -0.03)
        squeeze = max(0.35, min(1.0, depth * 1.1))
        sketch.ellipse(x, y, 0.2 * squeeze, 0.135, palette.shade(view.skin, 0.72), 14)
        sketch.ellipse(x, y + 0.012, 0.175 * squeeze, 0.112, (246, 244, 240), 12)
        look = 0.04 * sin(view.yaw_rad)
        sketch.ellipse(x + look, y + 0.01, 0.1 * squeeze, 0.105, iris, 12)
        sketch.ellipse(x + look, y + 0.01, 0.045 * squeeze, 0.05, pupil, 8)
        _draw_brow(sketch, view, side, brow)


def _draw_brow(sketch: Sketch, view: HeadView, side: float, colour: Colour) -> None:
    kind = view.identity.eyebrows
    shapes: dict[str, list[tuple[float, float]]] = {
        "thin": [(12, -0.27), (27, -0.36), (42, -0.27), (27, -0.315)],
        "thick": [(9, -0.25), (13, -0.37), (30, -0.39), (46, -0.31), (45, -0.23), (28, -0.26)],
        "slanted": [(7, -0.16), (9, -0.27), (30, -0.39), (47, -0.46), (46, -0.36), (28, -0.28)],
    }
    sketch.fill(surface(view, [(side * azimuth, y) for azimuth, y in shapes[kind]]), colour)


def draw_nose(sketch: Sketch, view: HeadView) -> None:
    """The nose stands out of the surface, so it shows in the outline of a profile."""
    if view.depth(0.0) < -0.15:
        return
    half, tip_y, out = {"small": (0.11, 0.22, 0.16), "long": (0.11, 0.36, 0.3), "wide": (0.22, 0.28, 0.2)}[
        view.identity.nose
    ]
    side = sin(view.yaw_rad)
    drop = sin(view.pitch_rad) * 0.6
    reach = (view.width(tip_y, side) + out) * side
    bridge = view.at(0.0, -0.1)
    under = view.at(0.0, tip_y + 0.1)
    near = max(0.25, view.depth(0.0))
    tip = (reach, tip_y + drop)
    left = (under[0] - half * near, tip_y + 0.04 + drop)
    right = (under[0] + half * near, tip_y + 0.04 + drop)
    dark = palette.shade(view.skin, 0.74)
    if abs(side) < 0.35:
        sketch.fill(
            [(bridge[0] - 0.045, bridge[1]), left, (under[0], tip_y + 0.12 + drop), right, bridge], dark
        )
        sketch.fill(
            [bridge, (tip[0] - half * 0.5, tip_y), (tip[0] + half * 0.5, tip_y)],
            palette.shade(view.skin, 1.05),
        )
    else:
        sketch.fill([bridge, tip, right if side < 0 else left, under], palette.shade(view.skin, 0.9))
        sketch.line([tip, under], dark, 0.05)
    for nostril in (left, right):
        if view.depth(radians(12.0 if nostril is right else -12.0)) > 0.3:
            sketch.ellipse(
                (nostril[0] + tip[0]) / 2, tip_y + 0.06 + drop, 0.035, 0.025, palette.shade(view.skin, 0.5), 8
            )


def draw_mouth(sketch: Sketch, view: HeadView) -> None:
    """Lips and, over them, the moustache of those who wear one."""
    if view.depth(0.0) < 0.05:
        return
    half, thick = {"narrow": (10.0, 0.055), "wide": (29.0, 0.065), "full": (18.0, 0.125)}[view.identity.mouth]
    red = (176, 60, 62) if view.identity.skin_tone not in ("brown", "dark") else (150, 58, 60)
    if view.night:
        red = palette.NIGHT_LIP
    y = 0.6
    upper = [(-half, y), (-half * 0.4, y - thick), (0, y - thick * 0.6), (half * 0.4, y - thick), (half, y)]
    lower = [(half * 0.5, y + thick * 1.1), (-half * 0.5, y + thick * 1.1)]
    sketch.fill(surface(view, upper + lower), red)
    sketch.line(surface(view, [(-half, y), (0, y + 0.01), (half, y)]), palette.shade(red, 0.55), 0.03)
    if view.identity.beard in ("moustache", "full"):
        dark = palette.shade(view.hair, 0.85)
        wing = [
            (-36, 0.58),
            (-22, 0.42),
            (0, 0.38),
            (22, 0.42),
            (36, 0.58),
            (16, 0.53),
            (0, 0.51),
            (-16, 0.53),
        ]
        sketch.fill(surface(view, wing), dark)


def draw_glasses(sketch: Sketch, view: HeadView) -> None:
    """Rims over the near eyes, a bridge, and the bow to the ear."""
    kind = view.identity.glasses
    if kind == "none" or view.depth(0.0) < -0.3:
        return
    colour, width = {
        "round": ((196, 152, 44), 0.07),
        "square": ((150, 40, 60), 0.075),
        "thick": ((18, 18, 22), 0.14),
    }[kind]
    half, tall = (0.27, 0.25) if kind != "thick" else (0.29, 0.21)
    inner: list[tuple[float, float]] = []
    for side in (-1.0, 1.0):
        azimuth = side * radians(28.0)
        depth = view.depth(azimuth)
        if depth > 0.1:
            x, y = view.at(azimuth, -0.01)
            rx = half * max(0.3, depth)
            if kind == "round":
                turn = np.linspace(0, 2 * pi, 15)[:-1]
                rim = np.stack([x + rx * np.cos(turn), y + tall * np.sin(turn)], axis=1).astype(np.float32)
                sketch.line(rim, colour, width, closed=True)
            else:
                box = [
                    (x - rx, y - tall),
                    (x + rx, y - tall),
                    (x + rx * 0.86, y + tall),
                    (x - rx * 0.86, y + tall),
                ]
                sketch.line(box, colour, width, closed=True)
            inner.append((x - side * rx, y - 0.05))
        if view.depth(side * radians(62.0)) > 0.0:
            sketch.line(surface(view, [(side * 46, -0.08), (side * 88, -0.1)]), colour, width * 0.8)
    if len(inner) == 2:
        sketch.line(inner, colour, width)
