"""Everything that came back. Knows no scores and no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from train.evaluate.trials import Description, Presence


@dataclass(slots=True)
class Answers:
    """Everything that came back.

    Attributes:
        enrol_s: seconds of each enrolment; not_enrolled: members whose reference clip was refused.
    """

    presence: list[Presence] = field(default_factory=list)
    descriptions: list[Description] = field(default_factory=list)
    enrol_s: list[float] = field(default_factory=list)
    not_enrolled: list[str] = field(default_factory=list)

    def add(self, other: Answers) -> None:
        """Take over what another household gave."""
        self.presence += other.presence
        self.descriptions += other.descriptions
        self.enrol_s += other.enrol_s
        self.not_enrolled += other.not_enrolled

    def of_size(self, members: int) -> Answers:
        """Those of households with so many members; of enrolments nothing is said."""
        return Answers(
            [one for one in self.presence if one.size == members],
            [one for one in self.descriptions if one.size == members],
        )


def in_order(parts: Sequence[Answers]) -> Answers:
    """All of them, in an order that does not depend on who was first."""
    total = Answers()
    for part in parts:
        total.add(part)
    total.presence.sort(key=lambda one: (one.household, one.clip, one.member))
    total.descriptions.sort(key=lambda one: (one.household, one.clip, one.kind))
    return total
