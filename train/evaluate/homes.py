"""Households that nobody trained on: members, look-alikes, strangers, and the scripts of their clips.

Everybody is of the test split. Knows no files and no answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from runtime.contract.pixels import PixelSpec
from train.evaluate.config import EvaluateConfig
from train.world.dataset import reference_script
from train.world.household import HouseholdWorld, Member
from train.world.sample import sample_room, sample_script
from train.world.script import ROOM_KINDS, Script
from train.world.traits import look_alike, sample_identity

MOST_DIFFERING = 5
_STREAM = 3_000_003
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Double:
    """Somebody who differs from a member in `differing` head traits, 1 to 5."""

    who: Member
    of: str
    differing: int


@dataclass(frozen=True, slots=True)
class Home:
    """A household and who else may pass its cameras."""

    name: str
    world: HouseholdWorld
    doubles: tuple[Double, ...]
    strangers: tuple[Member, ...]


def home_sizes(config: EvaluateConfig) -> list[int]:
    """How many members each household has."""
    return [size for size in config.sizes for _ in range(config.households)]


def sample_home(seed: int, number: int, size: int, strangers: int) -> Home:
    """The household `number` of a seed."""
    rng = np.random.default_rng([_STREAM, seed, number])
    members = tuple(
        Member(f"member-{index}", f"Member {index + 1}", sample_identity(rng, "test"))
        for index in range(size)
    )
    doubles = tuple(
        Double(
            Member(f"{one.person_id}-alike-{differing}", "", look_alike(one.identity, differing, rng)),
            one.person_id,
            differing,
        )
        for one in members
        for differing in range(1, MOST_DIFFERING + 1)
    )
    unknown = tuple(
        Member(f"stranger-{index:02d}", "", sample_identity(rng, "test")) for index in range(strangers)
    )
    rooms = {kind: sample_room(rng, kind, foreground=False) for kind in ROOM_KINDS}
    world = HouseholdWorld(seed * 10_000 + number, members, unknown[0], doubles[0].who, rooms)
    return Home(f"s{seed}-h{number:03d}", world, doubles, unknown)


def reference_of(member_id: str) -> str:
    """The clip id of a member's reference clip."""
    return f"reference-{member_id}"


def home_scripts(home: Home) -> list[Script]:
    """A reference clip of each member, then clips of a later day: everybody in other clothes each time."""
    rng = np.random.default_rng([_STREAM, home.world.seed, 1])
    fps, members = PixelSpec().window_fps, home.world.members
    scripts = [_at_rate(reference_script(home.world, member), fps) for member in members]

    def add(
        clip_id: str, *people: Member, night: bool | None = None, foreground: bool | None = None,
        hidden: bool | None = None,
    ) -> None:  # fmt: skip
        scripts.append(
            sample_script(
                rng, people=[one.identity for one in people], person_ids=[one.person_id for one in people],
                fps=fps, clip_id=clip_id, started_at=2 * _DAY_S + 60.0 * len(scripts), night=night,
                foreground=foreground, hidden=hidden,
            )
        )  # fmt: skip

    for index, one in enumerate(members):
        add(f"{one.person_id}-day", one, night=False, foreground=False)
        add(f"{one.person_id}-furniture", one, night=False, foreground=True)
        add(f"{one.person_id}-night", one, night=True)
        add(f"{one.person_id}-covered", one, hidden=True)
        add(f"{one.person_id}-with-stranger", one, home.strangers[index])
    if len(members) > 1:
        add("together", *members[:2])
    for double in home.doubles:
        add(double.who.person_id, double.who)
    for one in home.strangers:
        add(one.person_id, one)
    add("empty")
    return scripts


def _at_rate(script: Script, fps: float) -> Script:
    return replace(script, fps=fps)
