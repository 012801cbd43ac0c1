"""Claims about identities and their comparison."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.contract.errors import ContentError, UsageError
from train.world.household import identity_at, sample_household
from train.world.traits import (
    HEAD_TRAITS,
    HEIGHT_CM,
    TRAITS,
    Identity,
    Split,
    differing_traits,
    identity_from_json,
    identity_to_json,
    look_alike,
    sample_identity,
    split_of,
)

_SEEDS = st.integers(0, 2**32 - 1)


def _somebody(seed: int) -> Identity:
    return sample_identity(np.random.default_rng(seed))


@given(seed=_SEEDS, differing=st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_a_look_alike_differs_in_exactly_the_asked_number_of_head_traits(seed: int, differing: int) -> None:
    somebody = _somebody(seed)
    other = look_alike(somebody, differing, np.random.default_rng(seed + 1))
    names = differing_traits(somebody, other)
    assert len(names) == differing
    assert set(names) <= set(HEAD_TRAITS)
    assert other.height_cm == somebody.height_cm
    assert split_of(other) == split_of(somebody)
    for name in names:
        pair = frozenset((getattr(somebody, name), getattr(other, name)))
        assert pair not in TRAITS[name].alike


@given(seed=_SEEDS)
@settings(max_examples=100, deadline=None)
def test_hair_colour_never_tells_somebody_bald_from_a_look_alike(seed: int) -> None:
    bald = replace(_somebody(seed), hair_style="bald")
    other = look_alike(bald, 4, np.random.default_rng(seed))
    assert "hair_colour" not in differing_traits(bald, other)


@pytest.mark.parametrize("differing", [0, 6])
def test_a_look_alike_with_no_or_too_many_differences_is_refused(differing: int) -> None:
    with pytest.raises(UsageError, match=str(differing)):
        look_alike(_somebody(1), differing, np.random.default_rng(0))


def test_every_value_of_every_trait_is_drawn_about_equally_often() -> None:
    rng = np.random.default_rng(5)
    people = [sample_identity(rng) for _ in range(3000)]
    for name, trait in TRAITS.items():
        counts = [sum(getattr(one, name) == value for one in people) for value in trait.values]
        expected = 3000 / len(trait.values)
        assert min(counts) > 0.75 * expected
        assert max(counts) < 1.25 * expected
    heights = [one.height_cm for one in people]
    assert HEIGHT_CM[0] <= min(heights) < 125 and 190 < max(heights) <= HEIGHT_CM[1]


def test_no_head_of_the_training_side_occurs_on_the_test_side() -> None:
    def heads(side: Split) -> set[tuple[str, ...]]:
        people = [identity_at(side, index) for index in range(1500)]
        assert {split_of(one) for one in people} == {side}
        return {tuple(getattr(one, name) for name in HEAD_TRAITS) for one in people}

    train, test = heads("train"), heads("test")
    assert not train & test
    assert len(train) > 1490


@given(seed=_SEEDS)
@settings(max_examples=50, deadline=None)
def test_an_identity_survives_json(seed: int) -> None:
    somebody = _somebody(seed)
    assert identity_from_json(identity_to_json(somebody)) == somebody


@pytest.mark.parametrize(
    ("name", "value"), [("hair_style", "mohawk"), ("height_cm", 40.0), ("height_cm", "tall"), ("nose", None)]
)
def test_an_identity_with_an_unknown_value_is_refused(name: str, value: object) -> None:
    data = identity_to_json(_somebody(3)) | {name: value}
    with pytest.raises(ContentError, match=name):
        identity_from_json(data)


def test_an_identity_that_lacks_a_trait_is_refused_by_name() -> None:
    data = identity_to_json(_somebody(3))
    del data["beard"]
    with pytest.raises(ContentError, match="beard"):
        identity_from_json(data)


def test_a_household_is_the_same_for_the_same_seed_and_its_people_are_unlike() -> None:
    world, again = sample_household(7), sample_household(7)
    assert world.members == again.members and world.look_alike == again.look_alike
    assert [member.name for member in world.members] == ["Grandma", "Tom", "Mia"]
    people = [*world.members, world.stranger]
    for index, first in enumerate(people):
        for second in people[:index]:
            names = set(differing_traits(first.identity, second.identity)) & set(HEAD_TRAITS)
            assert len(names) >= 5
    assert len(differing_traits(world.members[0].identity, world.look_alike.identity)) == 3
    assert {split_of(one.identity) for one in world.everybody()} == {"test"}
    assert sample_household(8).members != world.members


@pytest.mark.parametrize("differing", [1, 3])
def test_a_household_s_look_alike_can_be_told_from_afar(differing: int) -> None:
    for seed in range(25):
        world = sample_household(seed, 1, differing=differing)
        first, second = world.members[0].identity, world.look_alike.identity
        names = differing_traits(first, second)
        assert len(names) == differing
        assert min(TRAITS[name].min_head_px for name in names) <= 30.0


@pytest.mark.parametrize("members", [0, 7])
def test_a_household_of_no_or_too_many_members_is_refused(members: int) -> None:
    with pytest.raises(UsageError, match="members"):
        sample_household(1, members)
