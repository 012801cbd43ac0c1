"""Where people stand and where the camera looks, so that heads stay apart and inside, or are hidden.

Knows no clothes and no light. Lengths are room pixels; the picture is 384 x 288 and shows 1/zoom of that.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from train.world.body import HEAD_CM, leg_cm
from train.world.script import HEIGHT_PX, WIDTH_PX, Camera, Person, Room

_HIGH = frozenset({"waving", "raising_hand", "lowering_hand", "reaching"})


def _head_range(person: Person) -> tuple[float, float]:
    """Room y of the top of the head (or the raised hand) and of the chin at its lowest."""
    top = person.foot_y_px - person.identity.height_cm * person.scale
    chin = top + HEAD_CM * person.scale
    if person.action in _HIGH:
        top -= 20.0 * person.scale
    if person.action in ("sitting", "sitting_down", "standing_up"):
        chin += 0.46 * leg_cm(person) * person.scale
    if person.action == "sitting":
        top += 0.42 * leg_cm(person) * person.scale
    if person.action == "bending":
        chin += 45.0 * person.scale
    return top - 7.0 * person.scale, chin


def fitting_zoom(cast: Sequence[Person], zoom: float) -> float:
    """At most the wanted zoom, so that every head stays in the picture."""
    if not cast:
        return zoom
    ranges = [_head_range(person) for person in cast]
    need = max(chin for _, chin in ranges) - min(top for top, _ in ranges)
    return min(zoom, HEIGHT_PX / (need * 1.12))


def spread(rng: np.random.Generator, cast: Sequence[Person], seconds: float, zoom: float) -> list[Person]:
    """Everybody in a slot of their own; walks are slowed to what the slot holds."""
    if not cast:
        return []
    visible = WIDTH_PX / zoom
    slot = min(visible * 0.92 / len(cast), 150.0)
    middle = WIDTH_PX / 2 + float(rng.uniform(-60, 60))
    order = [int(index) for index in rng.permutation(len(cast))]
    placed = list(cast)
    for rank, index in enumerate(order):
        person = cast[index]
        room_px = (visible if len(cast) == 1 else slot) * 0.62
        speed = person.speed_cm_s
        travel = speed * seconds * person.scale
        if abs(travel) > room_px:
            speed *= room_px / abs(travel)
            travel = speed * seconds * person.scale
        slack = max(0.0, slot - abs(travel) - 34.0 * person.scale) * 0.5
        centre = middle + (rank - (len(cast) - 1) / 2) * slot + float(rng.uniform(-slack, slack))
        placed[index] = replace(person, x_px=round(centre - travel / 2, 2), speed_cm_s=round(speed, 2))
    return placed


def aim(rng: np.random.Generator, cast: Sequence[Person], zoom: float, seconds: float) -> Camera:
    """A camera that shows every head, and as much of the bodies as the zoom and chance allow."""
    roll = round(float(rng.uniform(-3.0, 3.0)), 3)
    visible_x, visible_y = WIDTH_PX / zoom, HEIGHT_PX / zoom
    if not cast:
        x, y = WIDTH_PX / 2 + float(rng.uniform(-50, 50)), HEIGHT_PX / 2 + float(rng.uniform(-20, 20))
        return Camera(round(zoom, 4), round(x, 2), round(y, 2), roll)
    ends = [(p.x_px, p.x_px + p.speed_cm_s * seconds * p.scale) for p in cast]
    left = min(min(pair) for pair in ends) - 24.0
    right = max(max(pair) for pair in ends) + 24.0
    slack = max(0.0, visible_x - (right - left)) * 0.42
    x = (left + right) / 2 + float(rng.uniform(-slack, slack))
    ranges = [_head_range(person) for person in cast]
    top, chin = min(low for low, _ in ranges), max(high for _, high in ranges)
    foot = max(person.foot_y_px for person in cast) + 14.0
    highest = top - 0.04 * visible_y  # the picture's upper edge lies here at the lowest
    lowest = min(highest, max(foot - visible_y, chin + 10.0 - visible_y))
    lowest = max(lowest, highest - 0.3 * visible_y)
    edge = float(rng.uniform(lowest, highest))
    return Camera(round(zoom, 4), round(x, 2), round(edge + visible_y / 2, 2), roll)


def hide(
    rng: np.random.Generator, cast: Sequence[Person], seconds: float, room: Room, camera: Camera
) -> tuple[Room, Camera]:
    """A post before somebody's way, or a picture whose upper edge cuts the heads."""
    if rng.random() < 0.5:
        person = cast[int(rng.integers(len(cast)))]
        x = person.x_px + person.speed_cm_s * seconds * person.scale / 2 + float(rng.uniform(-12, 12))
        return replace(room, foreground=(*room.foreground, f"post:{x:.1f}")), camera
    heads = [person.foot_y_px - person.identity.height_cm * person.scale for person in cast]
    edge = max(heads) + HEAD_CM * cast[0].scale * float(rng.uniform(0.35, 1.05))
    return room, replace(camera, centre_y_px=round(edge + HEIGHT_PX / camera.zoom / 2, 2))
