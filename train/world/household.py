"""Households: members with names, a stranger, a look-alike, and the rooms they live in.

Knows no clips. Identities for training and for tests come from disjoint streams of random numbers and, by
the hash rule of `traits.split_of`, can never have the same head.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from runtime.contract.errors import UsageError
from train.world.sample import sample_room
from train.world.script import ROOM_KINDS, Room
from train.world.sight import hidden_by_looks
from train.world.traits import (
    HEAD_TRAITS,
    TRAITS,
    Identity,
    Split,
    differing_traits,
    look_alike,
    sample_identity,
)

_STREAMS: Mapping[str, int] = MappingProxyType({"train": 1_000_003, "test": 2_000_003})
_MIN_DIFFERING = 5  # head traits between any two members
_EVERYDAY_HEAD_PX = 30.0
_NAMES: tuple[tuple[str, Callable[[Identity], bool]], ...] = (
    (
        "Grandma",
        lambda who: (
            who.beard == "none"
            and who.hair_colour in ("grey", "white")
            and who.hair_style in ("bun", "curly", "bob", "long")
            and 148 <= who.height_cm <= 172
        ),
    ),
    ("Tom", lambda who: who.hair_style in ("bald", "buzz", "side_part", "spiky") and who.height_cm >= 165),
    (
        "Mia",
        lambda who: (
            who.beard == "none"
            and who.hair_colour not in ("grey", "white")
            and who.hair_style not in ("bald", "buzz")
            and who.height_cm <= 145
        ),
    ),
    ("Anna", lambda who: who.beard == "none" and who.hair_style != "bald" and 155 <= who.height_cm <= 182),
    (
        "Grandpa",
        lambda who: who.hair_colour in ("grey", "white") and who.beard != "none" and who.height_cm >= 155,
    ),
    (
        "Leo",
        lambda who: who.beard == "none" and who.hair_colour not in ("grey", "white") and who.height_cm <= 140,
    ),
)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with an id, a display name and looks."""

    person_id: str
    name: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class HouseholdWorld:
    """A household. `look_alike` resembles the first member; `rooms` by kind."""

    seed: int
    members: tuple[Member, ...]
    stranger: Member
    look_alike: Member
    rooms: Mapping[str, Room]

    def everybody(self) -> tuple[Member, ...]:
        """Members, then stranger, then look-alike."""
        return (*self.members, self.stranger, self.look_alike)


def identity_rng(split: Split, index: int) -> np.random.Generator:
    """The random numbers of the index-th identity of one side."""
    if index < 0:
        raise UsageError(f"index is {index}; count identities from 0.")
    return np.random.default_rng([_STREAMS[split], index])


def identity_at(split: Split, index: int) -> Identity:
    """The index-th identity of one side."""
    return sample_identity(identity_rng(split, index), split)


def sample_household(
    seed: int, members: int = 3, *, split: Split = "test", differing: int = 3
) -> HouseholdWorld:
    """The household of this seed; the look-alike differs from the first member in `differing` head traits.

    At least one of these can be told by day from 30 pixels of head height on.
    """
    if not 1 <= members <= len(_NAMES):
        raise UsageError(f"members is {members}; ask for 1 to {len(_NAMES)}.")
    rng = identity_rng(split, 10_000_000 + seed)
    chosen: list[Member] = []
    for name, fits in _NAMES[:members]:
        identity = _draw_unlike(rng, split, [member.identity for member in chosen], fits)
        chosen.append(Member(name.lower(), name, identity))
    stranger = _draw_unlike(rng, split, [member.identity for member in chosen], lambda _: True)
    double = look_alike(chosen[0].identity, differing, rng)
    while not _tellable(chosen[0].identity, double):
        double = look_alike(chosen[0].identity, differing, rng)
    rooms = {kind: sample_room(rng, kind, foreground=False) for kind in ROOM_KINDS}
    return HouseholdWorld(
        seed=seed,
        members=tuple(chosen),
        stranger=Member("stranger", "Stranger", stranger),
        look_alike=Member("look-alike", "Look-alike", double),
        rooms=MappingProxyType(rooms),
    )


def _tellable(first: Identity, second: Identity) -> bool:
    """Whether some trait in which they differ shows by day on a head of everyday size."""
    return any(
        TRAITS[name].min_head_px <= _EVERYDAY_HEAD_PX
        and not hidden_by_looks(name, first)
        and not hidden_by_looks(name, second)
        for name in differing_traits(first, second)
        if name in HEAD_TRAITS
    )


def _draw_unlike(
    rng: np.random.Generator, split: Split, others: list[Identity], fits: Callable[[Identity], bool]
) -> Identity:
    """Somebody who fits and differs clearly from everybody drawn before."""
    while True:
        who = sample_identity(rng, split)
        apart = all(
            sum(name in HEAD_TRAITS for name in differing_traits(who, other)) >= _MIN_DIFFERING
            for other in others
        )
        if apart and fits(who):
            return who
