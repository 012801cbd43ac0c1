"""Claims about what a clip lets one decide."""

from dataclasses import replace

import numpy as np
import pytest

from train.world.household import identity_at
from train.world.sample import sample_script
from train.world.script import Script
from train.world.sight import Sight, decidable, recognisable, sights
from train.world.traits import HEAD_TRAITS, TRAITS, Identity, differing_traits

_FACE = ("face_shape", "eyebrows", "eye_colour", "glasses", "beard", "nose", "mouth")
_PERSON = replace(
    identity_at("train", 0),
    hair_style="side_part",
    skin_tone="light",
    hair_colour="black",
    beard="none",
    manner="relaxed",
    height_cm=170.0,
)


def _script(identity: Identity = _PERSON, **wishes: object) -> Script:
    options = {"hidden": False, "night": False, "foreground": False, "facing_deg": 0.0} | wishes
    return sample_script(
        np.random.default_rng(3),
        people=[identity],
        actions=["nodding"],
        **options,  # type: ignore[arg-type]
    )


def _sight(script: Script) -> Sight:
    return sights(script)["person-0"]


def test_everything_is_visible_from_near_by_day() -> None:
    sight = _sight(_script(head_px=(62, 66)))
    for name in HEAD_TRAITS:
        assert sight.traits[name] >= TRAITS[name].min_head_px
        assert decidable(sight.traits, [name])
    assert recognisable(sight.traits)
    assert sight.head_px == pytest.approx(max(sight.traits.values()), abs=0.1)


def test_colours_are_not_decidable_at_night_but_shapes_are() -> None:
    sight = _sight(_script(night=True, head_px=(62, 66)))
    assert not decidable(sight.traits, ["hair_colour", "skin_tone", "eye_colour"])
    assert decidable(sight.traits, ["glasses"]) and decidable(sight.traits, ["hair_style"])


def test_no_face_trait_is_decidable_from_behind() -> None:
    sight = _sight(_script(facing_deg=180.0, head_px=(62, 66)))
    assert not decidable(sight.traits, _FACE)
    assert decidable(sight.traits, ["hair_style"]) and decidable(sight.traits, ["hair_colour"])


def test_small_heads_decide_hair_but_not_eyes() -> None:
    sight = _sight(_script(head_px=(25, 26)))
    assert decidable(sight.traits, ["hair_colour"])
    assert not decidable(sight.traits, ["eye_colour", "nose", "mouth", "eyebrows"])


def test_nothing_is_decidable_of_somebody_hidden_or_outside() -> None:
    script = _script(head_px=(50, 52))
    person = script.people[0]
    gone = replace(script, people=(replace(person, x_px=person.x_px + 700.0),))
    behind = replace(script, room=replace(script.room, foreground=(f"post:{person.x_px}",)))
    for hidden in (gone, behind):
        sight = _sight(hidden)
        assert not any(sight.traits.values())
        assert sight.head_px == 0.0
        assert not recognisable(sight.traits)
    assert _sight(gone).action_share == 0.0 and _sight(script).action_share == 1.0


@pytest.mark.parametrize(
    ("changes", "hidden"),
    [
        ({"hair_style": "bald"}, "hair_colour"),
        ({"hair_style": "bob"}, "eyebrows"),
        ({"hair_style": "long"}, "face_shape"),
        ({"beard": "full"}, "mouth"),
        ({"skin_tone": "brown", "hair_colour": "brown"}, "beard"),
        ({"skin_tone": "dark"}, "nose"),
    ],
)
def test_a_trait_that_other_traits_hide_is_not_decidable(changes: dict[str, str], hidden: str) -> None:
    identity = replace(_PERSON, **changes)  # type: ignore[arg-type]
    traits = _sight(_script(identity, head_px=(62, 66))).traits
    assert traits[hidden] == 0.0
    assert not decidable(traits, [hidden])


def test_height_build_and_manner_alone_never_decide() -> None:
    other = replace(_PERSON, build="heavy", manner="brisk", height_cm=195.0)
    names = differing_traits(_PERSON, other)
    assert "height_cm" in names
    assert not decidable(_sight(_script(head_px=(62, 66))).traits, names)
    assert not decidable(_sight(_script(head_px=(62, 66))).traits, [])
