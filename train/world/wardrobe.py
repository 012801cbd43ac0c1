"""A dressed body: arms, legs, trunk and neck of a skeleton, in the clothes of a clip.

Knows no head, no furniture and nothing that is held; coordinates are room pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, hypot, sin, sqrt

import numpy as np

from train.world import palette
from train.world.body import BUILDS, Skeleton, Spot
from train.world.palette import Colour
from train.world.script import Person
from train.world.sketch import Sketch, hull

_Edge = Callable[[float, float], Spot]  # share of the way from neck to pelvis, pixels to the right -> a spot


@dataclass(frozen=True, slots=True)
class Look:
    """The colours of one person in this light."""

    skin: Colour
    top: Colour
    bottom: Colour
    shoe: Colour
    stripe: Colour
    chair: Colour


def draw_arm(sketch: Sketch, bones: Skeleton, person: Person, look: Look, side: str) -> None:
    radius = BUILDS[person.identity.build].arm * (0.4 + 0.6 * bones.size) * bones.px
    shoulder, elbow, hand = (bones.at(f"{side}_{name}") for name in ("shoulder", "elbow", "hand"))
    sleeve = palette.shade(look.top, 0.9)
    kind = person.clothes.top_kind
    thick = 1.2 if kind == "sweater" else 1.05
    fore = look.skin if kind == "t-shirt" else sleeve
    sketch.ellipse(*hand, radius * 0.95, radius * 0.95, look.skin, 12)
    sketch.capsule(elbow, hand, radius * 0.95 * (1.0 if kind == "t-shirt" else thick), radius * 0.78, fore)
    sketch.ellipse(*hand, radius * 0.9, radius * 0.9, look.skin, 12)
    if kind == "t-shirt":
        sketch.capsule(shoulder, elbow, radius * 1.1, radius * 0.95, look.skin)
        sketch.capsule(shoulder, _between(shoulder, elbow, 0.62), radius * 1.25, radius * 1.2, sleeve)
        return
    sketch.capsule(shoulder, elbow, radius * 1.2 * thick, radius * thick, sleeve)
    if kind == "striped":
        for share in (0.3, 0.62):
            _band(sketch, shoulder, elbow, share, radius * 1.1, look.stripe)
            _band(sketch, elbow, hand, share, radius * 0.9, look.stripe)


def _between(a: Spot, b: Spot, share: float) -> Spot:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)


def _band(sketch: Sketch, a: Spot, b: Spot, share: float, radius: float, colour: Colour) -> None:
    """A stripe across a limb."""
    length = hypot(b[0] - a[0], b[1] - a[1])
    if length < 1.0:
        return
    nx, ny = -(b[1] - a[1]) / length * radius, (b[0] - a[0]) / length * radius
    p, q = _between(a, b, share - 0.08), _between(a, b, share + 0.08)
    sketch.fill(
        [(p[0] + nx, p[1] + ny), (q[0] + nx, q[1] + ny), (q[0] - nx, q[1] - ny), (p[0] - nx, p[1] - ny)],
        colour,
    )


def draw_legs(sketch: Sketch, bones: Skeleton, person: Person, look: Look) -> None:
    radius = BUILDS[person.identity.build].leg * (0.4 + 0.6 * bones.size) * bones.px
    skirt = person.clothes.bottom_kind == "skirt"
    order = sorted(("right", "left"), key=lambda side: bones.depth(f"{side}_foot"))
    for index, side in enumerate(order):
        hip, knee, foot, toe = (bones.at(f"{side}_{name}") for name in ("hip", "knee", "foot", "toe"))
        cloth = palette.shade(look.bottom, 0.84 if index == 0 else 1.0)
        lower = palette.shade(look.skin, 0.92) if skirt else cloth
        sketch.capsule(foot, toe, radius * 0.72, radius * 0.6, look.shoe)
        sketch.capsule(
            knee, foot, radius * (0.72 if skirt else 0.9), radius * (0.55 if skirt else 0.75), lower
        )
        sketch.capsule(hip, knee, radius * 1.2, radius * (0.8 if skirt else 0.92), lower if skirt else cloth)
    if skirt:
        spots: list[Spot] = []
        for side in order:
            hip, knee = bones.at(f"{side}_hip"), bones.at(f"{side}_knee")
            for spot, grow in ((hip, 1.2), (knee, 1.45)):
                spots += [(spot[0] - radius * grow, spot[1]), (spot[0] + radius * grow, spot[1])]
        sketch.fill(hull(spots), look.bottom)


def draw_trunk(sketch: Sketch, bones: Skeleton, person: Person, look: Look) -> None:
    build = BUILDS[person.identity.build]
    width = (0.35 + 0.65 * bones.size) * bones.px
    c, s = cos(bones.facing_rad), sin(bones.facing_rad)
    neck, pelvis = bones.at("neck"), bones.at("pelvis")
    dx, dy = pelvis[0] - neck[0], pelvis[1] - neck[1]
    length = max(1e-6, hypot(dx, dy))
    nx, ny = dy / length, -dx / length  # across the spine, to the right of the image
    loose = 1.1 if person.clothes.top_kind == "sweater" else 1.0

    def half(wide: float, deep: float) -> float:
        return sqrt((wide * c) ** 2 + (deep * s) ** 2) * width * loose

    rows = (
        (-0.03, half(build.shoulder * 0.42, build.depth * 0.5)),
        (0.03, half(build.shoulder * 0.86, build.depth * 0.72)),
        (0.14, half(build.shoulder, build.depth * 0.9)),
        (0.36, half(build.shoulder * 0.93, build.depth)),
        (0.68, half(build.waist, build.depth)),
        (0.95, half(build.hip, build.depth)),
        (1.1, half(build.hip, build.depth * 0.95)),
    )

    def edge(share: float, wide: float) -> Spot:
        return (neck[0] + dx * share + nx * wide, neck[1] + dy * share + ny * wide)

    right = [edge(share, wide) for share, wide in rows]
    left = [edge(share, -wide) for share, wide in rows]
    sketch.capsule(
        bones.at("right_hip"),
        bones.at("left_hip"),
        build.leg * width * 1.2,
        build.leg * width * 1.2,
        look.bottom,
    )
    sketch.fill([*right, *reversed(left)], look.top)
    shadow = [edge(share, wide * 0.62) for share, wide in rows[2:]]
    sketch.fill([*right[2:], *reversed(shadow)], palette.shade(look.top, 0.86))
    shares, halves = [row[0] for row in rows], [row[1] for row in rows]
    if person.clothes.top_kind == "striped":
        for middle in (0.2, 0.42, 0.64, 0.86):
            low, high = middle - 0.055, middle + 0.055
            a, b = float(np.interp(low, shares, halves)), float(np.interp(high, shares, halves))
            sketch.fill([edge(low, a), edge(high, b), edge(high, -b), edge(low, -a)], look.stripe)
    elif person.clothes.top_kind == "sweater":
        sketch.fill(
            [edge(1.02, halves[-1]), edge(1.1, halves[-1]), edge(1.1, -halves[-1]), edge(1.02, -halves[-1])],
            palette.shade(look.top, 0.72),
        )
    _draw_neck(sketch, bones, person, look, edge, (c, s))


def _draw_neck(
    sketch: Sketch,
    bones: Skeleton,
    person: Person,
    look: Look,
    edge: Callable[[float, float], Spot],
    turn: Spot,
) -> None:
    px, size = bones.px, bones.size
    radius = (4.6 + 1.6 * (person.identity.build == "heavy")) * (0.4 + 0.6 * size) * px
    sketch.capsule(
        _between(bones.at("neck"), bones.at("head"), -0.1),
        _between(bones.at("neck"), bones.at("head"), 0.5),
        radius,
        radius * 0.95,
        palette.shade(look.skin, 0.84),
    )
    kind = person.clothes.top_kind
    front = turn[0] * px
    lean = turn[1] * 4.0 * px
    if kind == "sweater":
        sketch.capsule(
            edge(0.0, -radius * 0.95),
            edge(0.0, radius * 0.95),
            radius * 0.42,
            radius * 0.42,
            palette.shade(look.top, 0.72),
        )
    elif kind == "shirt":
        pale = palette.mix(look.top, (255, 255, 255), 0.45)
        if turn[0] > -0.3:
            sketch.fill(
                [edge(-0.05, lean - radius), edge(0.16, lean), edge(-0.05, lean + radius), edge(0.02, lean)],
                look.skin,
            )
            sketch.fill(
                [edge(-0.07, lean - radius * 1.2), edge(0.2, lean - radius * 0.5), edge(0.08, lean)], pale
            )
            sketch.fill(
                [edge(-0.07, lean + radius * 1.2), edge(0.2, lean + radius * 0.5), edge(0.08, lean)], pale
            )
            sketch.line([edge(0.14, lean), edge(1.08, lean)], palette.shade(look.top, 0.6), 0.7 * px)
            for share in (0.3, 0.5, 0.7, 0.9):
                sketch.ellipse(*edge(share, lean), 1.1 * px, 1.1 * px, pale, 8)
        else:
            sketch.capsule(edge(-0.02, -radius), edge(-0.02, radius), radius * 0.35, radius * 0.35, pale)
    elif front > 0:
        sketch.ellipse(*edge(0.0, lean), radius * 1.05, radius * 0.6, palette.shade(look.skin, 0.9), 12)
