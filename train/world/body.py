"""A person's skeleton at one moment, in three dimensions and in the room plane.

Knows no clothes and no drawing. Centimetres in the body's frame; the camera looks on slightly from above.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, radians, sin, sqrt
from types import MappingProxyType

from train.world.pose import MANNERS, Pose, Vec, pose_at
from train.world.script import Person

HEAD_CM = 30.0
_NECK_CM = 4.0
_TILT = 0.14  # how much lower a point appears for each centimetre that it is nearer

Spot = tuple[float, float]  # x, y in room pixels

JOINTS: tuple[str, ...] = (
    "head",
    "neck",
    "right_elbow",
    "left_elbow",
    "right_hand",
    "left_hand",
    "right_foot",
    "left_foot",
)


@dataclass(frozen=True, slots=True)
class Build:
    """Half widths and limb radii in centimetres, for somebody of 170 cm."""

    shoulder: float
    waist: float
    hip: float
    depth: float
    arm: float
    leg: float


BUILDS: Mapping[str, Build] = MappingProxyType(
    {
        "slim": Build(15.0, 10.0, 11.5, 8.0, 3.4, 4.9),
        "average": Build(18.5, 14.5, 15.0, 11.0, 4.3, 6.2),
        "heavy": Build(23.0, 24.0, 22.0, 18.0, 5.8, 8.4),
    }
)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Named points, each x, y in room pixels and the depth in centimetres toward the camera, and the angles.

    `size`: the person's scale of the trunk against 170 cm. `px`: room pixels per centimetre.
    """

    points: Mapping[str, Vec]
    facing_rad: float
    head_yaw_rad: float
    head_pitch_rad: float
    head_roll_rad: float
    size: float
    px: float
    pose: Pose

    def at(self, name: str) -> tuple[float, float]:
        """The point's place in the room plane."""
        x, y, _ = self.points[name]
        return x, y

    def depth(self, name: str) -> float:
        """How many centimetres the point is nearer to the camera than the feet's middle."""
        return self.points[name][2]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a body stands and how it is turned: takes body centimetres to room pixels and depth."""

    x: float
    y: float
    px: float
    facing_rad: float

    def project(self, point: Vec) -> Vec:
        c, s = cos(self.facing_rad), sin(self.facing_rad)
        depth = -point[0] * s + point[2] * c
        across = point[0] * c + point[2] * s
        return self.x + self.px * across, self.y + self.px * (_TILT * depth - point[1]), depth


def _bend(root: Vec, target: Vec, first: float, second: float, pole: Vec) -> tuple[Vec, Vec]:
    """A limb of two bones: the middle joint (on the side of the pole) and the end that can be reached."""
    dx, dy, dz = target[0] - root[0], target[1] - root[1], target[2] - root[2]
    far = max(1e-6, sqrt(dx * dx + dy * dy + dz * dz))
    ux, uy, uz = dx / far, dy / far, dz / far
    reach = min(far, (first + second) * 0.999)
    reach = max(reach, abs(first - second) * 1.001 + 1e-6)
    along = (first * first + reach * reach - second * second) / (2 * reach)
    out = sqrt(max(0.0, first * first - along * along))
    dot = pole[0] * ux + pole[1] * uy + pole[2] * uz
    px, py, pz = pole[0] - dot * ux, pole[1] - dot * uy, pole[2] - dot * uz
    norm = max(1e-6, sqrt(px * px + py * py + pz * pz))
    middle = (
        root[0] + ux * along + px / norm * out,
        root[1] + uy * along + py / norm * out,
        root[2] + uz * along + pz / norm * out,
    )
    return middle, (root[0] + ux * reach, root[1] + uy * reach, root[2] + uz * reach)


def leg_cm(person: Person) -> float:
    """Floor to hip."""
    return 0.57 * (person.identity.height_cm - HEAD_CM - _NECK_CM)


def stage_at(person: Person, t_s: float) -> Stage:
    """Where the person stands at this second."""
    walked = person.speed_cm_s * t_s * person.scale
    return Stage(person.x_px + walked, person.foot_y_px, person.scale, radians(person.facing_deg))


def person_pose(person: Person, t_s: float, duration_s: float) -> Pose:
    """The pose, with a stride that fits the walking speed, so that feet do not slide."""
    manner = MANNERS[person.identity.manner]
    stride = max(0.1, abs(person.speed_cm_s) * 1.15 / (4 * manner.tempo * leg_cm(person)))
    return pose_at(person.action, t_s, duration_s, manner, person.phase_rad, min(stride, 0.5))


def skeleton_at(person: Person, t_s: float, duration_s: float) -> Skeleton:
    """All points of the body at this second."""
    pose = person_pose(person, t_s, duration_s)
    stage = stage_at(person, t_s)
    height = person.identity.height_cm - HEAD_CM - _NECK_CM
    leg, trunk, arm = 0.57 * height, 0.43 * height, 0.41 * height
    size = height / (170.0 - HEAD_CM - _NECK_CM)
    build = BUILDS[person.identity.build]
    width = 0.35 + 0.65 * size
    pelvis = (pose.sway * 20.0, leg * (1 - pose.sink), -pose.back * leg)
    spine = (sin(pose.sway), cos(pose.lean), sin(pose.lean))
    neck = (pelvis[0] + spine[0] * trunk, pelvis[1] + spine[1] * trunk, pelvis[2] + spine[2] * trunk)
    bow = pose.lean * 0.6
    up = HEAD_CM / 2 + _NECK_CM
    head = (neck[0] + spine[0] * up * 0.6, neck[1] + up * cos(bow), neck[2] + up * sin(bow))
    points: dict[str, Vec] = {"pelvis": pelvis, "neck": neck, "head": head}
    for name, side, hand, foot in (
        ("right", -1.0, pose.right_hand, pose.right_foot),
        ("left", 1.0, pose.left_hand, pose.left_foot),
    ):
        shoulder = (neck[0] + side * build.shoulder * width * 0.86, neck[1] - 4.0 * size, neck[2])
        goal = (shoulder[0] + side * hand[0] * arm, shoulder[1] + hand[1] * arm, shoulder[2] + hand[2] * arm)
        elbow, wrist = _bend(shoulder, goal, arm * 0.5, arm * 0.5, (side * 0.6, -0.7, -0.5))
        hip = (pelvis[0] + side * build.hip * width * 0.5, pelvis[1], pelvis[2])
        ground = (side * (build.hip * width * 0.5 + foot[0] * leg), 5.0 * size + foot[1] * leg, foot[2] * leg)
        knee, ankle = _bend(hip, ground, leg * 0.5, leg * 0.5, (side * 0.15, 0.1, 1.0))
        toe = (ankle[0] + side * 2.0, ankle[1] - 3.0 * size, ankle[2] + 13.0 * size)
        points |= {
            f"{name}_shoulder": shoulder,
            f"{name}_elbow": elbow,
            f"{name}_hand": wrist,
            f"{name}_hip": hip,
        }
        points |= {f"{name}_knee": knee, f"{name}_foot": ankle, f"{name}_toe": toe}
    placed = {name: stage.project(point) for name, point in points.items()}
    facing = stage.facing_rad
    return Skeleton(
        points=placed,
        facing_rad=facing,
        head_yaw_rad=facing + pose.head_yaw,
        head_pitch_rad=max(-0.5, min(0.55, pose.head_pitch + bow * 0.5)),
        head_roll_rad=sin(facing) * bow * 0.6 + pose.sway * cos(facing),
        size=size,
        px=person.scale,
        pose=pose,
    )
