"""The scripts of one household's clips: a reference clip for each member, queries in kitchen and living room.

Knows no files.
"""

from dataclasses import replace

import numpy as np

from train.world.household import HouseholdWorld, Member
from train.world.sample import sample_clothes, sample_script
from train.world.script import Camera, Clothes, Script

_QUERY_ACTIONS = (
    "drinking",
    "waving",
    "walking_left",
    "walking_right",
    "sitting_down",
    "stirring",
    "sweeping",
    "reaching",
)
_DAY_S = 86_400.0
_FIRST_S = 1_767_254_400.0  # 2026-01-01 08:00 UTC


def reference_script(world: HouseholdWorld, member: Member, room: str = "living_room") -> Script:
    """Four seconds from near in which the face turns to both sides, by day and unhidden."""
    rng = np.random.default_rng([world.seed, 11, world.everybody().index(member)])
    script = sample_script(
        rng,
        people=[member.identity],
        person_ids=[member.person_id],
        actions=["looking_around"],
        room=world.rooms[room],
        night=False,
        head_px=(58.0, 66.0),
        hidden=False,
        facing_deg=0.0,
        duration_s=4.0,
        clip_id=f"reference-{member.person_id}",
        started_at=_FIRST_S,
    )
    light = replace(script.light, blur_sigma_px=0.0, brightness=1.0, lamp_strength=0.0)
    return replace(script, light=light, camera=_upright(script.camera))


def _upright(camera: Camera) -> Camera:
    return replace(camera, roll_deg=0.0)


def query_scripts(world: HouseholdWorld, per_person: int = 4) -> list[Script]:
    """Clips of everybody on a later day, in other clothes each time.

    Kitchen and living room in turn, the last one by night; then both rooms empty, and two members together.
    """
    rng = np.random.default_rng([world.seed, 12])
    scripts: list[Script] = []
    for member in world.everybody():
        for index in range(per_person):
            worn = sample_clothes(rng)
            room = ("kitchen", "living_room")[index % 2]
            action = _QUERY_ACTIONS[int(rng.integers(len(_QUERY_ACTIONS)))]
            night = per_person > 2 and index == per_person - 1
            name = f"{room}-{member.person_id}-{index}"
            scripts.append(_query(rng, world, [member], [worn], room, [action], night, name, len(scripts)))
    for room in ("kitchen", "living_room"):
        scripts.append(_query(rng, world, [], [], room, [], False, f"{room}-empty", len(scripts)))
    pair = list(world.members[:2])
    clothes = [sample_clothes(rng) for _ in pair]
    deeds = ["drinking", "waving"][: len(pair)]
    scripts.append(
        _query(rng, world, pair, clothes, "kitchen", deeds, False, "kitchen-together", len(scripts))
    )
    return scripts


def _query(
    rng: np.random.Generator,
    world: HouseholdWorld,
    people: list[Member],
    clothes: list[Clothes],
    room: str,
    actions: list[str],
    night: bool,
    clip_id: str,
    number: int,
) -> Script:
    return sample_script(
        rng,
        people=[member.identity for member in people],
        person_ids=[member.person_id for member in people],
        actions=actions,
        clothes=clothes,
        room=world.rooms[room],
        night=night,
        hidden=False,
        head_px=(30.0, 52.0) if people else None,
        duration_s=4.0,
        clip_id=clip_id,
        started_at=_FIRST_S + _DAY_S + 60.0 * number,
    )
