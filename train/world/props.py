"""What stands under somebody or is held by them: a chair, a cup, a bowl, a broom, a box.

Knows no clothes; coordinates are room pixels.
"""

from math import cos, sin

from train.world import palette
from train.world.body import Skeleton, Spot, Stage, leg_cm
from train.world.script import Person
from train.world.sketch import Sketch, hull
from train.world.wardrobe import Look


def draw_chair(sketch: Sketch, after: Sketch, person: Person, stage: Stage, look: Look) -> None:
    leg = leg_cm(person)
    seat, depth, half = leg * 0.46, leg * 0.26, 20.0 * (0.4 + 0.6 * leg / 77.5)
    middle = -0.42 * leg
    dark, wood = palette.shade(look.chair, 0.7), look.chair

    def spot(x: float, y: float, z: float) -> Spot:
        return stage.project((x, y, z))[:2]

    corners = [
        (-half, middle - depth),
        (half, middle - depth),
        (half, middle + depth),
        (-half, middle + depth),
    ]
    for x, z in corners:
        sketch.line([spot(x, 0.0, z), spot(x, seat, z)], dark, 3.2 * stage.px)
    slab = [spot(x, seat + y, z) for y in (0.0, -4.0) for x, z in corners]
    sketch.fill(hull(slab), dark)
    sketch.fill([spot(x, seat, z) for x, z in corners], wood)
    back = [(-half, middle - depth), (half, middle - depth)]
    rest = after if cos(stage.facing_rad) < -0.25 else sketch
    plank = [spot(x, seat + y, z + d) for y in (leg * 0.3, leg * 0.62) for x, z in back for d in (0.0, -3.0)]
    for x, z in back:
        rest.line([spot(x, seat, z), spot(x, seat + leg * 0.5, z)], dark, 3.2 * stage.px)
    rest.fill(hull(plank), wood)


def draw_prop(sketch: Sketch, bones: Skeleton, person: Person, look: Look) -> None:
    px = bones.px
    right, left = bones.at("right_hand"), bones.at("left_hand")
    if person.prop == "cup":
        x, y = right
        white, rim = (236, 236, 240), (170, 174, 184)
        sketch.line(
            [(x + 4.5 * px, y - 6 * px), (x + 7.5 * px, y - 4 * px), (x + 4.5 * px, y - 1 * px)],
            rim,
            1.3 * px,
        )
        sketch.fill(
            [
                (x - 5 * px, y - 9 * px),
                (x + 5 * px, y - 9 * px),
                (x + 4 * px, y + 3 * px),
                (x - 4 * px, y + 3 * px),
            ],
            white,
        )
        sketch.ellipse(x, y - 9 * px, 5 * px, 1.6 * px, rim, 12)
        sketch.ellipse(x, y, 3.4 * px, 2.8 * px, look.skin, 10)
    elif person.prop == "bowl":
        x, y = (left[0] + 0.0, left[1] - 4 * px)
        sketch.line([(right[0], right[1]), (0.5 * x + 0.5 * right[0], y + 1 * px)], (122, 86, 50), 2.0 * px)
        half = [(x - 13 * px, y), (x + 13 * px, y), (x + 10 * px, y + 8 * px), (x + 5 * px, y + 11 * px)]
        sketch.fill([*half, (x - 5 * px, y + 11 * px), (x - 10 * px, y + 8 * px)], (92, 120, 150))
        sketch.ellipse(x, y, 13 * px, 2.6 * px, (206, 190, 150), 14)
        sketch.ellipse(*right, 3.6 * px, 3.6 * px, look.skin, 10)
    elif person.prop == "broom":
        low = _floor_end(bones)
        sketch.line([left, right, low], (168, 124, 70), 2.2 * px)
        sketch.fill(
            [
                (low[0] - 4 * px, low[1] - 9 * px),
                (low[0] + 4 * px, low[1] - 9 * px),
                (low[0] + 12 * px, low[1] + 3 * px),
                (low[0] - 12 * px, low[1] + 3 * px),
            ],
            (206, 170, 84),
        )
        for hand in (left, right):
            sketch.ellipse(*hand, 4.0 * px, 4.0 * px, look.skin, 10)
    elif person.prop == "box":
        x, y = (right[0] + left[0]) / 2, (right[1] + left[1]) / 2
        wide = max(9 * px, abs(right[0] - left[0]) / 2)
        sketch.rect(x - wide, y - 12 * px, x + wide, y + 7 * px, (186, 142, 92))
        sketch.rect(x - 2.5 * px, y - 12 * px, x + 2.5 * px, y + 7 * px, (216, 186, 140))
        for hand in (left, right):
            sketch.ellipse(*hand, 3.8 * px, 3.8 * px, look.skin, 10)


def _floor_end(bones: Skeleton) -> Spot:
    """Where the broom meets the floor: in front of the feet, swung farther than the hand."""
    right, left = bones.at("right_hand"), bones.at("left_hand")
    feet_x = (bones.at("right_foot")[0] + bones.at("left_foot")[0]) / 2
    feet_y = max(bones.at("right_foot")[1], bones.at("left_foot")[1])
    ahead = sin(bones.facing_rad) * 45.0 * bones.px
    return (
        feet_x + ahead + (right[0] - left[0]) * 1.3,
        feet_y + max(0.0, cos(bones.facing_rad)) * 8.0 * bones.px,
    )
