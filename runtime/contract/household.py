"""Who lives here. Knows no files, no adapters and no cameras."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.contract.errors import UsageError

_ID = re.compile(r"^s[0-9a-f]{32}$")
MAX_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """One enrolled person.

    Attributes:
        subject_id: opaque, `s` and 32 hex digits; the only name that leaves the vault.
        name: as the household says it; never a file name, never in a prompt or a log.
        aliases: other words for the same person ("mum").
    """

    subject_id: str
    name: str
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.subject_id):
            raise UsageError(f"a subject id is 's' and 32 hex digits, got {self.subject_id!r}.")
        for name in (self.name, *self.aliases):
            check_name(name)

    def answers_to(self, word: str) -> bool:
        """Whether `word` is this person's name or alias, whatever its case."""
        folded = fold(word)
        return any(fold(name) == folded for name in (self.name, *self.aliases))


@dataclass(frozen=True, slots=True)
class Household:
    """Everybody enrolled in one home, in order of enrolment. The privacy boundary."""

    household_id: str
    subjects: tuple[Subject, ...] = ()

    def named(self, word: str) -> Subject | None:
        """The subject that answers to `word`, or None."""
        return next((subject for subject in self.subjects if subject.answers_to(word)), None)


def fold(word: str) -> str:
    """A name as it is compared: case folded, single spaces."""
    return " ".join(word.casefold().split())


def check_name(name: str) -> str:
    """The name itself, if a person can be called that.

    Raises:
        UsageError: empty, too long, or with control characters.
    """
    if not name.strip() or len(name) > MAX_NAME_CHARS or any(ord(char) < 32 for char in name):
        raise UsageError(
            f"a name has 1 to {MAX_NAME_CHARS} printable characters, got {name!r}.", "Choose another name."
        )
    return name
