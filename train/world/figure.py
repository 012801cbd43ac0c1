"""A dressed person at one moment, as a sketch in the room plane, with the points that the truth needs.

Knows no camera, no light and no other people.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import cos

import numpy as np

from train.world import palette
from train.world.body import HEAD_CM, JOINTS, Spot, skeleton_at, stage_at
from train.world.head import draw_head
from train.world.props import draw_chair, draw_prop
from train.world.script import Person
from train.world.sketch import Points, Sketch, placement, transform
from train.world.wardrobe import Look, draw_arm, draw_legs, draw_trunk

_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn person; all points in room pixels, float32 (N, 2).

    `head_points` bound face and hair, `body_points` everything; `silhouette` is the list of the filled
    polygons. `trunk_spots` and `leg_spots` lie along the middle of what upper and lower garment cover.
    """

    person: Person
    sketch: Sketch
    head_points: Points
    body_points: Points
    silhouette: list[Points]
    trunk_spots: Points
    leg_spots: Points
    joints: Mapping[str, Spot]
    head_yaw_rad: float
    head_pitch_rad: float


def draw_figure(person: Person, t_s: float, duration_s: float, night: bool, seed: int) -> Figure:
    """The person at this second of the clip."""
    bones = skeleton_at(person, t_s, duration_s)
    look = _look(person, night, seed)
    px, yaw = bones.px, bones.head_yaw_rad
    head = draw_head(person.identity, yaw, bones.head_pitch_rad, night)
    place = placement(*bones.at("head"), HEAD_CM / 2 * px, bones.head_roll_rad)
    behind, front = head.behind.moved(place), head.front.moved(place)

    sketch, after = Sketch(), Sketch()
    if person.chair:
        draw_chair(sketch, after, person, stage_at(person, 0.0), look)
    first = len(sketch.parts)
    if cos(yaw) > 0:
        sketch.add(behind)
    near = Sketch()
    for side in ("right", "left"):
        far = bones.depth(f"{side}_hand") + bones.depth(f"{side}_elbow") < 2 * bones.depth("neck") - 6.0
        draw_arm(sketch if far else near, bones, person, look, side)
    draw_legs(sketch, bones, person, look)
    draw_trunk(sketch, bones, person, look)
    if cos(yaw) <= 0:
        sketch.add(behind)
    sketch.add(front)
    if bones.depth("right_hand") >= bones.depth("neck"):
        sketch.add(near)
        draw_prop(sketch, bones, person, look)
    else:
        held = Sketch()
        draw_prop(held, bones, person, look)
        sketch.parts[first:first] = held.parts
        sketch.add(near)
    filled = [part.points for part in sketch.parts[first:] if part.width == 0.0]
    body_points = np.concatenate(filled)
    sketch.add(after)
    x0, y0, x1, y1 = head.box
    grid = head.front.stacked().clip(
        np.array([x0, y0], dtype=np.float32), np.array([x1, y1], dtype=np.float32)
    )
    joints = {name: bones.at(name) for name in JOINTS}
    legs = [
        spot
        for side in ("right", "left")
        for spot in _along(*(bones.at(f"{side}_{name}") for name in ("hip", "knee", "foot")))
    ]
    return Figure(
        person=person,
        sketch=sketch,
        head_points=transform(grid, place),
        body_points=body_points,
        silhouette=filled,
        trunk_spots=np.array(_along(bones.at("neck"), bones.at("pelvis")), dtype=np.float32),
        leg_spots=np.array(legs, dtype=np.float32),
        joints=joints,
        head_yaw_rad=yaw,
        head_pitch_rad=bones.head_pitch_rad,
    )


def _along(*corners: Spot) -> list[Spot]:
    """Five spots on each piece of a line, its corners left out."""
    return [
        (ax + (bx - ax) * share, ay + (by - ay) * share)
        for (ax, ay), (bx, by) in pairwise(corners)
        for share in _SHARES
    ]


def _look(person: Person, night: bool, seed: int) -> Look:
    clothes = person.clothes
    if night:
        levels = [70 + zlib.crc32(f"{seed}|{person.person_id}|{part}".encode()) % 120 for part in range(3)]
        top, bottom, shoe = (palette.grey(level) for level in levels)
        stripe = palette.grey(levels[0] - 46 if levels[0] > 130 else levels[0] + 50)
        return Look(palette.NIGHT_SKIN, top, bottom, palette.shade(shoe, 0.5), stripe, palette.grey(90))
    top, bottom = palette.CLOTH[clothes.top_colour], palette.CLOTH[clothes.bottom_colour]
    light = sum(top) > 480
    stripe = palette.shade(top, 0.35) if light else palette.mix(top, (255, 255, 255), 0.8)
    wood = palette.mix((112, 70, 40), (190, 160, 120), (person.phase_rad * 7.0) % 1.0)
    return Look(palette.SKIN[person.identity.skin_tone], top, bottom, (46, 40, 40), stripe, wood)
