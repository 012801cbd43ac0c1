"""Claims about scripts: drawing them at random, and reading them back."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.contract.errors import ContentError, UsageError
from train.world.household import identity_at
from train.world.pose import ACTIONS
from train.world.sample import sample_clothes, sample_room, sample_script
from train.world.script import ROOM_KINDS, Script, script_from_json, script_to_json


def _script(seed: int, count: int = 1, **wishes: Any) -> Script:
    people = [identity_at("train", index) for index in range(count)]
    return sample_script(np.random.default_rng(seed), people=people, **wishes)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_a_script_survives_json(seed: int, count: int) -> None:
    script = _script(seed, count)
    assert script_from_json(json.loads(json.dumps(script_to_json(script)))) == script


def test_a_script_with_a_photograph_survives_json() -> None:
    script = _script(1)
    script = replace(script, room=replace(script.room, photo=identity_at("test", 4)))
    assert script_from_json(json.loads(json.dumps(script_to_json(script)))) == script


def test_the_same_generator_draws_the_same_script() -> None:
    assert _script(5, 2) == _script(5, 2)
    assert _script(5, 2) != _script(6, 2)


def test_wishes_are_granted() -> None:
    rng = np.random.default_rng(0)
    clothes, room = sample_clothes(rng), sample_room(rng, "bathroom")
    script = _script(
        2,
        person_ids=["mia"],
        actions=["stirring"],
        clothes=[clothes],
        room=room,
        night=True,
        hidden=False,
        duration_s=2.5,
        fps=4.0,
        clip_id="one",
        started_at=12.5,
    )
    person = script.people[0]
    assert (person.person_id, person.action, person.clothes) == ("mia", "stirring", clothes)
    assert (script.room, script.light.night, script.clip_id) == (room, True, "one")
    assert (script.duration_s, script.fps, script.started_at) == (2.5, 4.0, 12.5)
    assert _script(2, room="hallway").room.kind == "hallway"


def test_rooms_actions_and_light_all_occur() -> None:
    scripts = [_script(seed) for seed in range(300)]
    assert {script.room.kind for script in scripts} == set(ROOM_KINDS)
    assert {script.people[0].action for script in scripts} == set(ACTIONS)
    nights = sum(script.light.night for script in scripts)
    assert 30 < nights < 90


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"actions": ["flying"]}, "flying"),
        ({"actions": []}, "actions"),
        ({"person_ids": ["a", "b"]}, "person_ids"),
        ({"room": "garage"}, "garage"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_refused(wishes: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        _script(1, **wishes)


def test_two_people_with_one_id_are_refused() -> None:
    with pytest.raises(UsageError, match="repeats"):
        _script(1, 2, person_ids=["a", "a"])


_Data = dict[str, object]


def _set(*path: str | int, value: object) -> Callable[[_Data], None]:
    def change(data: _Data) -> None:
        place: object = data
        for step in path[:-1]:
            place = place[step]  # type: ignore[index]
        place[path[-1]] = value  # type: ignore[index]

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_set("version", value=2), "version"),
        (_set("people", value="nobody"), "people"),
        (_set("room", "kind", value="garage"), "garage"),
        (_set("room", "foreground", value=["tree"]), "tree"),
        (_set("room", "foreground", value=["post:near"]), "post:near"),
        (_set("people", 0, "action", value="flying"), "flying"),
        (_set("people", 0, "prop", value="sword"), "sword"),
        (_set("people", 0, "clothes", "top_colour", value="beige"), "beige"),
        (_set("people", 0, "clothes", "hat", value="red"), "hat"),
        (_set("people", 0, "identity", "nose", value="hooked"), "hooked"),
        (_set("people", 0, "x_px", value="left"), "left"),
        (_set("people", 0, "scale", value=0), "scale"),
        (_set("camera", "zoom", value=-1.0), "zoom"),
        (_set("camera", "focus", value=1.0), "focus"),
        (_set("light", "tint_rgb", value=[1, 2]), "three numbers"),
        (_set("light", "noise_sigma", value=1.5), "whole number"),
        (_set("duration_s", value=0.0), "duration_s"),
        (_set("fps", value=float("nan")), "finite"),
    ],
)
def test_a_damaged_script_is_refused_by_name(change: Callable[[_Data], None], named: str) -> None:
    data = json.loads(json.dumps(script_to_json(_script(3))))
    change(data)
    with pytest.raises(ContentError, match=named):
        script_from_json(data)


@pytest.mark.parametrize("field", ["clip_id", "seed", "room", "camera", "light", "people", "fps"])
def test_a_script_that_lacks_a_field_is_refused_by_name(field: str) -> None:
    data = script_to_json(_script(3))
    del data[field]
    with pytest.raises(ContentError, match=field):
        script_from_json(data)
