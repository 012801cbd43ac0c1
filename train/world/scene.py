"""Frames and their truth: a pure function of the script and the second.

Knows no files and no random choices: what a clip shows is in its script (see `sample`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import degrees, pi, radians

import numpy as np
from numpy.typing import NDArray

from runtime.contract.clip import Clip
from train.world.figure import Figure, draw_figure
from train.world.foreground import draw_foreground
from train.world.room import draw_room
from train.world.script import HEIGHT_PX, WIDTH_PX, Camera, Room, Script
from train.world.sensor import expose
from train.world.sketch import Frame, Matrix, Points, Sketch, paint, placement, transform

Box = tuple[float, float, float, float]  # x, y, width, height in frame pixels


@dataclass(frozen=True, slots=True)
class PersonTruth:
    """What is true about one person in one frame; pixels of the frame, whether inside it or not.

    `head_box`: tight around face and hair (hair below the chin left out). `head_visible`: share 0..1 of the
    head in that box that is inside the frame and not covered. `top_visible`, `bottom_visible`: the same of
    the middle line of trunk and legs; own arms and what is held do not cover. `head_yaw_deg`: 0 to the
    camera, positive to the image's right, beyond 100 either way the face is turned away; `head_pitch_deg`:
    positive looks down. `joints`: `body.JOINTS` by name.
    """

    person_id: str
    action: str
    head_box: Box
    body_box: Box
    head_visible: float
    top_visible: float
    bottom_visible: float
    head_yaw_deg: float
    head_pitch_deg: float
    joints: Mapping[str, tuple[float, float]]

    @property
    def head_height_px(self) -> float:
        """Height of the head box."""
        return self.head_box[3]


def camera_matrix(camera: Camera) -> Matrix:
    """From room pixels to frame pixels."""
    matrix = placement(0.0, 0.0, camera.zoom, radians(camera.roll_deg))
    centre = np.array([camera.centre_x_px, camera.centre_y_px], dtype=np.float32)
    matrix[:, 2] = np.array([WIDTH_PX / 2, HEIGHT_PX / 2], dtype=np.float32) - matrix[:, :2] @ centre
    return matrix


@lru_cache(maxsize=16)
def _background(room: Room, camera: Camera) -> Frame:
    frame = np.zeros((HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    paint(frame, draw_room(room), camera_matrix(camera))
    frame.flags.writeable = False
    return frame


@lru_cache(maxsize=16)
def _foreground(room: Room) -> Sketch:
    return draw_foreground(room)


def _figures(script: Script, t_s: float) -> list[Figure]:
    """Everybody at this second, farthest first."""
    night = script.light.night
    drawn = [draw_figure(person, t_s, script.duration_s, night, script.seed) for person in script.people]
    return sorted(drawn, key=lambda figure: figure.person.foot_y_px)


def render_frame(script: Script, t_s: float) -> tuple[Frame, list[PersonTruth]]:
    """uint8 (288, 384, 3) RGB of second `t_s` of the clip, and the truth about everybody in script order."""
    frame, truths = _paint_all(script, t_s)
    return _expose(script, frame, t_s), truths


def render_bodies(
    script: Script, times_s: Sequence[float]
) -> tuple[Frame, list[list[PersonTruth]], NDArray[np.bool_]]:
    """As `render_frames`, and bool (T, 288, 384): which pixels show anybody, or what somebody holds."""
    empty = _empty(script.room, script.camera)
    pictures, truths, bodies = [], [], []
    for t_s in times_s:
        frame, truth = _paint_all(script, t_s)
        bodies.append((frame != empty).any(axis=2))
        pictures.append(_expose(script, frame, t_s))
        truths.append(truth)
    return np.stack(pictures), truths, np.stack(bodies)


def _expose(script: Script, frame: Frame, t_s: float) -> Frame:
    """The frame as the camera gives it; what is passed in may be changed."""
    return expose(frame, script.light, script.seed, round(t_s * 1000))


def _paint_all(script: Script, t_s: float) -> tuple[Frame, list[PersonTruth]]:
    """A frame without light and noise, and the truth about everybody."""
    matrix = camera_matrix(script.camera)
    frame: Frame = _background(script.room, script.camera).copy()
    figures = _figures(script, t_s)
    for figure in figures:
        paint(frame, figure.sketch, matrix)
    if script.room.foreground:
        paint(frame, _foreground(script.room), matrix)
    return frame, _truths(script, figures, matrix)


@lru_cache(maxsize=16)
def _empty(room: Room, camera: Camera) -> Frame:
    """A frame without anybody."""
    frame: Frame = _background(room, camera).copy()
    if room.foreground:
        paint(frame, _foreground(room), camera_matrix(camera))
    frame.flags.writeable = False
    return frame


def frame_truth(script: Script, t_s: float) -> list[PersonTruth]:
    """The truth of `render_frame` without painting."""
    return _truths(script, _figures(script, t_s), camera_matrix(script.camera))


def frame_times(fps: float, frames: int) -> list[float]:
    """Seconds of the frames of a clip."""
    return [index / fps for index in range(frames)]


def render_frames(script: Script, times_s: Sequence[float]) -> tuple[Frame, list[list[PersonTruth]]]:
    """uint8 (T, 288, 384, 3) at these seconds, in any order and spacing, and the truth of each."""
    pictures, truths = [], []
    for t_s in times_s:
        picture, truth = render_frame(script, t_s)
        pictures.append(picture)
        truths.append(truth)
    return np.stack(pictures), truths


def render_clip(
    script: Script, fps: float | None = None, frames: int | None = None
) -> tuple[Clip, list[list[PersonTruth]]]:
    """The whole clip at its own or another frame rate."""
    rate = script.fps if fps is None else fps
    count = max(1, round(script.duration_s * rate)) if frames is None else frames
    pictures, truths = render_frames(script, frame_times(rate, count))
    return Clip(pictures, rate, script.started_at), truths


def _bounds(points: Points) -> Box:
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def _truths(script: Script, figures: list[Figure], matrix: Matrix) -> list[PersonTruth]:
    """In the order of the script; `figures` are farthest first."""
    fronts = [part.points for part in _foreground(script.room).parts] if script.room.foreground else []
    covers = [transform(points, matrix) for points in fronts]
    truths: dict[str, PersonTruth] = {}
    for figure in reversed(figures):
        head = transform(figure.head_points, matrix)
        body = transform(figure.body_points, matrix)
        box = _bounds(head)
        spots = np.array([figure.joints[name] for name in figure.joints], dtype=np.float32)
        placed = transform(spots, matrix)
        yaw = degrees((figure.head_yaw_rad + pi) % (2 * pi) - pi)
        person = figure.person
        truths[person.person_id] = PersonTruth(
            person_id=person.person_id,
            action=person.action,
            head_box=box,
            body_box=_bounds(body),
            head_visible=_visible_share(box, covers),
            top_visible=_share(transform(figure.trunk_spots, matrix), covers),
            bottom_visible=_share(transform(figure.leg_spots, matrix), covers),
            head_yaw_deg=yaw,
            head_pitch_deg=degrees(figure.head_pitch_rad),
            joints={name: (float(x), float(y)) for name, (x, y) in zip(figure.joints, placed, strict=True)},
        )
        if figure is not figures[0]:
            covers = [*covers, *(transform(part, matrix) for part in figure.silhouette)]
    return [truths[person.person_id] for person in script.people]


_GRID = np.stack(np.meshgrid(np.linspace(-0.9, 0.9, 7), np.linspace(-0.9, 0.9, 7)), axis=-1).reshape(-1, 2)
_DISC = _GRID[np.hypot(_GRID[:, 0], _GRID[:, 1]) <= 1.0]


def _visible_share(box: Box, covers: list[Points]) -> float:
    """Share of an ellipse in the head box that is inside the frame and under none of the polygons."""
    spots = _DISC * np.array([box[2] / 2, box[3] / 2]) + np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    return _share(spots, covers)


def _share(spots: NDArray[np.floating], covers: list[Points]) -> float:
    """Share of spots (N, 2) that are inside the frame and under none of the polygons."""
    seen = (spots[:, 0] >= 0) & (spots[:, 0] < WIDTH_PX) & (spots[:, 1] >= 0) & (spots[:, 1] < HEIGHT_PX)
    first, last = spots.min(axis=0), spots.max(axis=0)
    for polygon in covers:
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        if (low < last).all() and (high > first).all():
            seen &= ~_inside(spots, polygon)
    return float(seen.mean())


def _inside(spots: NDArray[np.floating], polygon: Points) -> NDArray[np.bool_]:
    """bool (N,): which of float (N, 2) lie in the polygon, by counting crossings to the right."""
    x, y = spots[:, :1], spots[:, 1:]
    ax, ay = polygon[:, 0], polygon[:, 1]
    bx, by = np.roll(ax, -1), np.roll(ay, -1)
    spans = (ay > y) != (by > y)
    rise = np.where(by == ay, 1.0, by - ay)
    crossing = (bx - ax) * (y - ay) / rise + ax
    inside: NDArray[np.bool_] = np.count_nonzero(spans & (x < crossing), axis=1) % 2 == 1
    return inside
