"""What a script says about the people who are asked about. Knows no wordings.

A fact holds the world's own values, never words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runtime.contract.errors import UsageError
from train.world.script import Script

MAX_ASKED = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """What the script says about one enrolled subject, in the world's values; None where nothing can be told.

    Attributes:
        slot: place in the prompt, from 0.
        present: whether the subject is in the clip; if not, all the rest is None.
    """

    slot: int
    present: bool
    action: str | None = None
    room: str | None = None
    top_color: str | None = None
    top_kind: str | None = None
    bottom_color: str | None = None
    bottom_kind: str | None = None


class Seen(Protocol):
    """How much of somebody is in view; `train.world.sight.Sight` is one."""

    @property
    def action_share(self) -> float:
        """Share of the frames, 0..1, in which what the action is told by is in view."""

    @property
    def top_share(self) -> float:
        """The same for the upper garment."""

    @property
    def bottom_share(self) -> float:
        """The same for the lower garment."""


def facts_from_script(
    script: Script,
    enrolled: Sequence[str],
    *,
    seen: Mapping[str, Seen] | None = None,
    enough_share: float = 0.5,
) -> tuple[Fact, ...]:
    """What is true of each slot; `enrolled` holds the person id of each.

    Args:
        seen: by person id, what is in view; an action or a garment seen in less than `enough_share` of the
            frames is not told. None: everything is in view. Infrared never tells colours.
    """
    people = {person.person_id: person for person in script.people}
    facts = []
    for slot, person_id in enumerate(enrolled):
        person = people.get(person_id)
        if person is None:
            facts.append(Fact(slot, False))
            continue
        sight = seen.get(person_id) if seen is not None else None
        moves = sight is None or sight.action_share >= enough_share
        day = not script.light.night
        dressed = day and (sight is None or sight.top_share >= enough_share)
        legs = day and (sight is None or sight.bottom_share >= enough_share)
        clothes = person.clothes
        facts.append(
            Fact(
                slot,
                True,
                action=person.action if moves else None,
                room=script.room.kind,
                top_color=clothes.top_colour if dressed else None,
                top_kind=clothes.top_kind if dressed else None,
                bottom_color=clothes.bottom_colour if legs else None,
                bottom_kind=clothes.bottom_kind if legs else None,
            )
        )
    return tuple(facts)


def pick_enrolled(
    rng: np.random.Generator, present: Sequence[str], absent: Sequence[str], *, most: int = MAX_ASKED
) -> tuple[str, ...]:
    """One to `most` person ids, each from `present` or `absent` with equal chance while both last."""
    pools = [list(present), list(absent)]
    if not present and not absent:
        raise UsageError("nobody to enrol: both lists are empty.", "Give at least one person id.")
    chosen: list[str] = []
    for _ in range(1 + int(rng.integers(most))):
        pool = pools[int(rng.integers(2))] or pools[0] or pools[1]
        if not pool:
            break
        chosen.append(pool.pop(int(rng.integers(len(pool)))))
    return tuple(chosen)
