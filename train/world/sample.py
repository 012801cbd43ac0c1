"""Draws scripts at random: clothes, room, camera, light, and where everybody stands and what they do.

Knows no drawing. All randomness comes from the generator that is handed over.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from runtime.contract.errors import UsageError
from train.world import palette
from train.world.body import HEAD_CM
from train.world.framing import aim, fitting_zoom, hide, spread
from train.world.pose import ACTIONS, MANNERS
from train.world.script import (
    BOTTOM_KINDS,
    ROOM_KINDS,
    TOP_KINDS,
    WIDTH_PX,
    Clothes,
    Light,
    Person,
    Room,
    Script,
)
from train.world.traits import Identity

HEAD_PX = (22.0, 72.0)
_STILL = frozenset({"standing", "sitting", "nodding", "shaking_head", "looking_around"})
_BESIDE = ("plant", "table", "door")
_HIDDEN_SHARE = 0.1
_WALKS = {"walking_left": -1.0, "walking_right": 1.0}
_WALLS = (
    (226, 220, 206),
    (206, 218, 226),
    (222, 206, 200),
    (204, 220, 204),
    (236, 232, 224),
    (196, 190, 206),
    (180, 196, 200),
)
_FLOORS = ((176, 138, 98), (140, 104, 74), (190, 184, 174), (112, 108, 106), (204, 190, 164), (150, 156, 160))


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 3)


def _pick(rng: np.random.Generator, values: Sequence[str]) -> str:
    return values[int(rng.integers(len(values)))]


def _jittered(rng: np.random.Generator, colour: tuple[int, int, int], size: int) -> tuple[int, int, int]:
    r, g, b = (int(np.clip(channel + rng.integers(-size, size + 1), 0, 255)) for channel in colour)
    return r, g, b


def sample_clothes(rng: np.random.Generator) -> Clothes:
    """Clothes at random, not bound to anybody."""
    return Clothes(
        _pick(rng, tuple(palette.CLOTH)),
        _pick(rng, TOP_KINDS),
        _pick(rng, palette.BOTTOM_COLOURS),
        BOTTOM_KINDS[0] if rng.random() < 0.7 else BOTTOM_KINDS[1],
    )


def sample_room(rng: np.random.Generator, kind: str | None = None, foreground: bool | None = None) -> Room:
    """A room at random; the same room object is the same room in another clip."""
    if kind is not None and kind not in ROOM_KINDS:
        raise UsageError(f"room is {kind!r}; use one of {', '.join(ROOM_KINDS)}.")
    chosen = kind or _pick(rng, ROOM_KINDS)
    wall = _jittered(rng, _WALLS[int(rng.integers(len(_WALLS)))], 14)
    floor = _jittered(rng, _FLOORS[int(rng.integers(len(_FLOORS)))], 14)
    layout = int(rng.integers(2**31))
    covered = rng.random() < 0.3 if foreground is None else foreground
    front = (_pick(rng, _BESIDE),) if covered else ()
    return Room(chosen, wall, floor, layout, front)


def sample_light(rng: np.random.Generator, night: bool | None = None) -> Light:
    """Light and sensor at random; infrared in one clip of five unless asked for."""
    dark = bool(rng.random() < 0.2) if night is None else night
    tint = (
        (1.0, 1.0, 1.0)
        if dark
        else (_uniform(rng, 0.92, 1.07), _uniform(rng, 0.95, 1.03), _uniform(rng, 0.86, 1.07))
    )
    return Light(
        brightness=_uniform(rng, 0.72, 1.05) if dark else _uniform(rng, 0.66, 1.06),
        tint_rgb=tint,
        lamp_x_px=_uniform(rng, 0, WIDTH_PX),
        lamp_y_px=_uniform(rng, -40, 160),
        lamp_strength=0.0 if dark or rng.random() < 0.4 else _uniform(rng, 0.1, 0.5),
        night=dark,
        noise_sigma=int(rng.integers(5, 13)) if dark else int(rng.integers(1, 8)),
        jpeg_quality=0 if rng.random() < 0.35 else int(rng.integers(42, 93)),
        blur_sigma_px=0.0 if rng.random() < 0.55 else _uniform(rng, 0.4, 0.9),
    )


def sample_script(
    rng: np.random.Generator,
    *,
    people: Sequence[Identity],
    person_ids: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
    clothes: Sequence[Clothes] | None = None,
    room: str | Room | None = None,
    night: bool | None = None,
    light: Light | None = None,
    foreground: bool | None = None,
    hidden: bool | None = None,
    head_px: tuple[float, float] | None = None,
    facing_deg: float | None = None,
    duration_s: float | None = None,
    fps: float = 12.0,
    clip_id: str | None = None,
    started_at: float = 0.0,
) -> Script:
    """A clip at random with these people in it (none: an empty room).

    `actions`, `clothes`: one for each person; None draws. `room`: a kind, or a room to come back to.
    `head_px`: range of the head height of somebody standing. `facing_deg`: for everybody who does not walk.
    `duration_s`: None draws 2.4 to 4. `hidden`: a post before somebody, or heads cut off by the edge; None
    draws it for one in ten.
    """
    _check(len(people), person_ids, actions, clothes)
    ids = [f"person-{index}" for index in range(len(people))] if person_ids is None else list(person_ids)
    deeds = [_pick(rng, tuple(ACTIONS)) for _ in people] if actions is None else list(actions)
    seconds = _uniform(rng, 2.4, 4.0) if duration_s is None else duration_s
    place = room if isinstance(room, Room) else sample_room(rng, room, foreground)
    worn = [sample_clothes(rng) for _ in people] if clothes is None else list(clothes)
    size_px = _sample_head_px(rng, deeds, head_px)
    base = _uniform(rng, 0.94, 1.08)
    zoom = size_px / (HEAD_CM * base)
    cast = []
    for who, identity, deed, outfit in zip(ids, people, deeds, worn, strict=True):
        person = _sample_person(rng, who, identity, deed, outfit, facing_deg)
        cast.append(replace(person, scale=base * (1.0 + (person.foot_y_px - 232.0) * 0.0025)))
    zoom = fitting_zoom(cast, zoom)
    cast = spread(rng, cast, seconds, zoom)
    camera = aim(rng, cast, zoom, seconds)
    if cast and (rng.random() < _HIDDEN_SHARE if hidden is None else hidden):
        place, camera = hide(rng, cast, seconds, place, camera)
    seed = int(rng.integers(2**31))
    lit = sample_light(rng, night) if light is None else light
    return Script(
        clip_id=clip_id or f"clip-{seed:08x}",
        seed=seed,
        room=place,
        camera=camera,
        light=lit,
        people=tuple(cast),
        duration_s=seconds,
        fps=fps,
        started_at=started_at,
    )


def _check(
    count: int,
    person_ids: Sequence[str] | None,
    actions: Sequence[str] | None,
    clothes: Sequence[Clothes] | None,
) -> None:
    for name, given in (("person_ids", person_ids), ("actions", actions), ("clothes", clothes)):
        if given is not None and len(given) != count:
            raise UsageError(f"{name} has {len(given)} entries for {count} people; give one each.")
    if person_ids is not None and len(set(person_ids)) != count:
        raise UsageError(f"person_ids repeats an id: {', '.join(person_ids)}; make them different.")
    unknown = sorted(set(actions or ()) - set(ACTIONS))
    if unknown:
        raise UsageError(f"action is {unknown[0]!r}; use one of {', '.join(ACTIONS)}.")


def _sample_head_px(
    rng: np.random.Generator, deeds: Sequence[str], head_px: tuple[float, float] | None
) -> float:
    """The head height that somebody standing should have, in pixels."""
    low, high = HEAD_PX if head_px is None else head_px
    if head_px is None:
        high = {0: 40.0, 1: 72.0, 2: 50.0}.get(len(deeds), 36.0)
        if any(deed in _WALKS for deed in deeds):
            high = min(high, 50.0)
    return float(rng.uniform(low, high))


def _sample_facing(rng: np.random.Generator, deed: str) -> float:
    if deed in _WALKS:
        turn = 90.0 + float(rng.uniform(-38, 38))
        return _WALKS[deed] * turn
    if deed == "looking_around":
        return float(rng.uniform(-20, 20))
    if deed in ("standing", "sitting") and rng.random() < 0.4:
        return float(rng.uniform(120, 240))
    if deed in _STILL:
        return float(np.clip(rng.normal(0, 34), -72, 72))
    return float(np.clip(rng.normal(12, 34), -30, 72))  # the right hand must not get behind the body


def _sample_person(
    rng: np.random.Generator,
    who: str,
    identity: Identity,
    deed: str,
    outfit: Clothes,
    facing_deg: float | None,
) -> Person:
    action = ACTIONS[deed]
    facing = _sample_facing(rng, deed)
    if facing_deg is not None and deed not in _WALKS:
        facing = facing_deg
    pace = _uniform(rng, 46, 74) * (0.5 + 0.5 * MANNERS[identity.manner].tempo)
    chair = action.chair or (deed in _STILL and bool(rng.random() < 0.2))
    return Person(
        person_id=who,
        identity=identity,
        clothes=outfit,
        action=deed,
        x_px=WIDTH_PX / 2,
        foot_y_px=_uniform(rng, 206, 258),
        scale=1.0,
        facing_deg=round((facing + 180.0) % 360.0 - 180.0, 2),
        speed_cm_s=round(_WALKS.get(deed, 0.0) * pace, 2),
        phase_rad=_uniform(rng, 0, 6.283),
        chair=chair,
        prop=_pick(rng, action.props),
    )
