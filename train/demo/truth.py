"""What is true about a question, from the scripts that made the world. Knows no answers.

Called only after an answer has come in: it fills the column "truth" and decides right or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from train.augment.bank_words import ACTION_PHRASES, BOTTOM_PHRASES, TOP_PHRASES, garment
from train.demo.story import Question
from train.world.script import ROOM_PHRASES, Person, Script


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth about one question.

    Attributes:
        verdict: of a yes-or-no question; None for a description or for who.
        slots: what a description must say, as `train.augment.questions.slots_in` reads it.
        here: ids of the members in what was asked about.
        others: how many people are there who are no members.
        text: all this in words.
    """

    verdict: Literal["yes", "no"] | None
    here: frozenset[str]
    others: int
    text: str
    slots: Mapping[str, str] = field(default_factory=dict)


def truth_of(question: Question, shown: Sequence[Script], names: Mapping[str, str]) -> Truth:
    """The truth.

    Args:
        shown: scripts of everything that the question is about.
        names: display names of the members by person id; everybody else is unknown.
    """
    people = [(script, person) for script in shown for person in script.people]
    here = frozenset(person.person_id for _, person in people if person.person_id in names)
    others = sum(person.person_id not in names for _, person in people)
    if question.kind == "who":
        return Truth(None, here, others, _company(here, others, names))
    if question.kind == "stranger":
        return Truth(
            "yes" if others else "no",
            here,
            others,
            f"{'yes' if others else 'no'}: {_company(here, others, names)}",
        )
    absent = [one for one in question.people if one not in here]
    if question.kind == "existence" or absent:
        verdict: Literal["yes", "no"] = "no" if absent else "yes"
        return Truth(verdict, here, others, f"{verdict}: {_company(here, others, names)}")
    script, person = next(pair for pair in people if pair[1].person_id == question.people[0])
    slots = _slots(question, script, person)
    return Truth(None, here, others, _said(question, script, person), slots)  # fmt: skip


def _company(here: frozenset[str], others: int, names: Mapping[str, str]) -> str:
    parts = [name for one, name in names.items() if one in here]
    if others:
        parts.append("somebody unknown" if others == 1 else f"{others} unknown people")
    return f"{' and '.join(parts)} there" if parts else "nobody there"


def _slots(question: Question, script: Script, person: Person) -> dict[str, str]:
    if question.kind == "action":
        return {"action": person.action}
    if question.kind == "location":
        return {"room": script.room.kind}
    clothes = person.clothes
    return {
        "top_color": clothes.top_colour,
        "top_kind": clothes.top_kind,
        "bottom_color": clothes.bottom_colour,
        "bottom_kind": clothes.bottom_kind,
    }


def _said(question: Question, script: Script, person: Person) -> str:
    if question.kind == "action":
        return ACTION_PHRASES[person.action]
    if question.kind == "location":
        return ROOM_PHRASES[script.room.kind]
    clothes = person.clothes
    top = garment(clothes.top_colour, clothes.top_kind, TOP_PHRASES)
    return f"{top} and {garment(clothes.bottom_colour, clothes.bottom_kind, BOTTOM_PHRASES)}"
