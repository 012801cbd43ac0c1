"""Actions as motion: where pelvis, hands, feet and head are at each moment.

Knows no drawing and no camera. Lengths are shares of the person's own size, so one motion fits everybody.
Axes in the body's frame: x to the image's right when the person faces the camera, y up, z ahead of the
person.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import cos, pi, sin
from types import MappingProxyType

Vec = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Pose:
    """One moment of a body.

    Hands: from the own shoulder, in arm lengths, x counted outward. Feet: from below the own hip, in leg
    lengths, x counted outward. `sink`: how far the pelvis is below standing, `back`: how far behind, in leg
    lengths. Angles in radians; positive head yaw turns to the person's left hand (image right when facing
    the camera).
    """

    right_hand: Vec = (0.16, -0.94, 0.08)
    left_hand: Vec = (0.16, -0.94, 0.08)
    right_foot: Vec = (0.06, 0.0, 0.0)
    left_foot: Vec = (0.06, 0.0, 0.0)
    sink: float = 0.0
    back: float = 0.0
    lean: float = 0.0
    sway: float = 0.0
    head_yaw: float = 0.0
    head_pitch: float = 0.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody moves: speed, size of the movement, and the lean of trunk and head in radians."""

    tempo: float
    amplitude: float
    lean: float
    head_pitch: float
    bounce: float


MANNERS: Mapping[str, Manner] = MappingProxyType(
    {
        "brisk": Manner(1.3, 1.05, 0.05, -0.05, 0.024),
        "relaxed": Manner(0.95, 0.9, -0.03, 0.0, 0.010),
        "stooped": Manner(0.72, 0.72, 0.3, 0.14, 0.004),
    }
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What an action may look at: seconds at the tempo of the person, share of the clip done, and so on."""

    beat_s: float
    share: float
    size: float
    phase_rad: float
    stride: float


def _wave(moment: Moment, period_s: float) -> float:
    """A sine of this period at the person's tempo."""
    return sin(2 * pi * moment.beat_s / period_s + moment.phase_rad)


def _blend(a: Vec, b: Vec, share: float) -> Vec:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


_REST: Vec = (0.16, -0.94, 0.08)
_MOUTH: Vec = (-0.27, 0.16, 0.44)
_CHEST: Vec = (-0.08, -0.42, 0.56)
_UP: Vec = (0.3, 0.82, 0.16)


def _slow(share: float) -> float:
    """From 0 to 1 over the clip, moving in every part of it."""
    return 0.55 * share + 0.45 * share * share * (3 - 2 * share)


def _standing(m: Moment) -> Pose:
    drift = _wave(m, 3.4) * 0.02
    return Pose(sway=drift, left_hand=(0.16, -0.94, 0.08 + drift), right_hand=(0.16, -0.94, 0.08 - drift))


def _walking(m: Moment) -> Pose:
    step = _wave(m, 1.15)
    lift = cos(2 * pi * m.beat_s / 1.15 + m.phase_rad)
    swing = 0.42 * m.size * step
    return Pose(
        right_foot=(0.03, 0.1 * max(0.0, lift), m.stride * step),
        left_foot=(0.03, 0.1 * max(0.0, -lift), -m.stride * step),
        right_hand=(0.14, -0.9 + 0.1 * abs(swing), 0.06 - swing),
        left_hand=(0.14, -0.9 + 0.1 * abs(swing), 0.06 + swing),
        sink=0.035 * abs(step),
    )


def _seat(share: float) -> Pose:
    hump = 4 * share * (1 - share)
    hand = _blend(_REST, (0.02, -0.62, 0.52), share)
    return Pose(
        right_hand=hand,
        left_hand=hand,
        sink=0.44 * share,
        back=0.42 * share,
        lean=0.55 * hump,
        right_foot=(0.1, 0.0, 0.1 * share),
        left_foot=(0.1, 0.0, 0.1 * share),
    )


def _sitting(m: Moment) -> Pose:
    return replace(_seat(1.0), sway=0.025 * _wave(m, 3.2), head_pitch=0.05 * _wave(m, 2.6))


def _sitting_down(m: Moment) -> Pose:
    return _seat(_slow(m.share))


def _standing_up(m: Moment) -> Pose:
    return _seat(1 - _slow(m.share))


def _waving(m: Moment) -> Pose:
    swing = _wave(m, 1.0) * m.size
    return Pose(right_hand=(0.36 + 0.38 * swing, 0.7, 0.2), sway=0.02 * swing)


def _raising(m: Moment) -> Pose:
    share = _slow(m.share)
    return Pose(right_hand=_lift(share))


def _lowering(m: Moment) -> Pose:
    return Pose(right_hand=_lift(1 - _slow(m.share)))


def _lift(share: float) -> Vec:
    """The hand on its way from the hip, round the front and side, over the head."""
    turn = -pi / 2 + 0.15 + share * (pi - 0.5)
    out = max(0.0, cos(turn))
    return (0.1 + 0.45 * out, 0.92 * sin(turn), 0.15 + 0.5 * out)


def _drinking(m: Moment) -> Pose:
    share = 0.5 - 0.5 * cos(2 * pi * m.beat_s / 2.2 + m.phase_rad)
    return Pose(right_hand=_blend(_CHEST, _MOUTH, share), head_pitch=-0.22 * share * m.size)


def _holding(m: Moment) -> Pose:
    drift = 0.02 * _wave(m, 3.0)
    return Pose(
        right_hand=(-0.08, -0.36 + drift, 0.56), left_hand=(-0.1, -0.48 + drift, 0.5), head_pitch=0.15
    )


def _stirring(m: Moment) -> Pose:
    turn = 2 * pi * m.beat_s / 1.1 + m.phase_rad
    size = 0.16 * m.size
    hand = (-0.1 + size * cos(turn), -0.34 + 0.5 * size * abs(sin(turn)), 0.56 + size * sin(turn))
    return Pose(right_hand=hand, left_hand=(-0.1, -0.48, 0.5), head_pitch=0.15, sway=0.015 * cos(turn))


def _sweeping(m: Moment) -> Pose:
    swing = _wave(m, 1.5) * m.size
    return Pose(
        right_hand=(-0.05 + 0.4 * swing, -0.72, 0.42),
        left_hand=(-0.12 - 0.3 * swing, -0.4, 0.46),
        lean=0.22,
        sway=0.06 * swing,
        head_pitch=0.2,
        right_foot=(0.12, 0.0, 0.08),
        left_foot=(0.12, 0.0, -0.06),
    )


def _reaching(m: Moment) -> Pose:
    share = 0.5 - 0.5 * cos(2 * pi * m.beat_s / 2.4 + m.phase_rad)
    high: Vec = (0.1, 0.88, 0.36)
    return Pose(
        right_hand=_blend(_CHEST, high, share),
        left_hand=_blend(_CHEST, high, share),
        sink=-0.04 * share,
        head_pitch=-0.25 * share,
    )


def _bending(m: Moment) -> Pose:
    share = 0.5 - 0.5 * cos(2 * pi * m.beat_s / 2.6 + m.phase_rad)
    down: Vec = (-0.02, -0.9, 0.3)
    return Pose(
        right_hand=_blend(_CHEST, down, share),
        left_hand=_blend(_CHEST, down, share),
        lean=0.85 * share * m.size,
        sink=0.12 * share,
        back=0.12 * share,
    )


def _nodding(m: Moment) -> Pose:
    return Pose(head_pitch=0.12 + 0.36 * m.size * _wave(m, 1.1))


def _shaking(m: Moment) -> Pose:
    return Pose(head_yaw=0.55 * m.size * _wave(m, 1.2))


def _looking(m: Moment) -> Pose:
    return Pose(head_yaw=1.25 * sin(2 * pi * m.share), sway=0.01 * _wave(m, 3.0))


@dataclass(frozen=True, slots=True)
class Action:
    """An action: how it is said ("Mia is ..."), its motion, what the hands hold, whether it needs a chair."""

    phrase: str
    motion: Callable[[Moment], Pose]
    props: tuple[str, ...] = ("none",)
    chair: bool = False


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "standing": Action("standing still", _standing, ("none", "none", "cup")),
        "walking_left": Action("walking to the left", _walking, ("none", "none", "cup")),
        "walking_right": Action("walking to the right", _walking, ("none", "none", "cup")),
        "sitting": Action("sitting", _sitting, chair=True),
        "sitting_down": Action("sitting down", _sitting_down, chair=True),
        "standing_up": Action("standing up", _standing_up, chair=True),
        "waving": Action("waving", _waving),
        "raising_hand": Action("raising a hand", _raising, ("none", "none", "cup")),
        "lowering_hand": Action("lowering a hand", _lowering, ("none", "none", "cup")),
        "drinking": Action("drinking", _drinking, ("cup",)),
        "holding": Action("holding a bowl", _holding, ("bowl",)),
        "stirring": Action("stirring", _stirring, ("bowl",)),
        "sweeping": Action("sweeping the floor", _sweeping, ("broom",)),
        "reaching": Action("reaching up", _reaching, ("none", "box")),
        "bending": Action("bending down", _bending, ("none", "box")),
        "nodding": Action("nodding", _nodding),
        "shaking_head": Action("shaking the head", _shaking),
        "looking_around": Action("looking around", _looking),
    }
)


def pose_at(
    action: str, t_s: float, duration_s: float, manner: Manner, phase_rad: float, stride: float
) -> Pose:
    """The pose of an action at second `t_s` of a clip; `stride` is the half step of a walk in leg lengths."""
    share = min(1.0, max(0.0, t_s / duration_s))
    moment = Moment(t_s * manner.tempo, share, manner.amplitude, phase_rad, stride)
    pose = ACTIONS[action].motion(moment)
    breath = sin(2 * pi * t_s / 3.1 + phase_rad)
    bounce = manner.bounce * abs(sin(2 * pi * moment.beat_s / 1.15 + phase_rad))
    glance = 0.12 * sin(2 * pi * t_s / 4.3 + 1.7 * phase_rad)
    return replace(
        pose,
        lean=pose.lean + manner.lean,
        head_pitch=pose.head_pitch + manner.head_pitch,
        head_yaw=pose.head_yaw + glance,
        sink=pose.sink + 0.006 * breath - bounce,
    )
