"""Who lives here. Knows no files, no adapters and no cameras."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from runtime.contract.errors import UsageError

_ID = re.compile(r"^s[0-9a-f]{32}$")
MAX_NAME_CHARS = 64
_QUOTES = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "＇": "'", "“": '"', "”": '"', "„": '"'}
)
_NEVER = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what is printed after them."""


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


def tidy(text: str) -> str:
    """Text with one form of every character, quote and space; upper and lower case kept."""
    return " ".join(unicodedata.normalize("NFKC", text.translate(_QUOTES)).split())


def fold(word: str) -> str:
    """A name as it is compared: whatever its case, spaces, quotes and the form of accented letters."""
    for _ in range(3):  # what case folding leaves may have another normal form, and that another case
        word = tidy(word).casefold()
    return word


def check_name(name: str) -> str:
    """The name itself, if a person can be called that. Quotes, slashes and emoji are no obstacle.

    Raises:
        UsageError: empty, too long, invisible, or with characters that break lines or turn the text around.
    """
    kinds = [unicodedata.category(char) for char in name]
    visible = any(kind[0] not in "ZCM" for kind in kinds)
    if not visible or len(name) > MAX_NAME_CHARS or _NEVER.intersection(kinds) or _TURNING.intersection(name):
        raise UsageError(
            f"a name has 1 to {MAX_NAME_CHARS} printable characters, got {name!r}.", "Choose another name."
        )
    return name
