"""Whom "she" means and where "there" is, by the question before. Knows no kinds of questions.

A pronoun means the people of the question before it in the same conversation: one person for "she", all of
them for "they". Where a name stands in the same question it may mean that one as well, so it is not guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.contract.dialogue import Intent
from runtime.questions import trouble
from runtime.questions import vocabulary as v
from runtime.questions.lexer import Token
from runtime.questions.trouble import Home

_OWNING = frozenset({"his", "her", "hers", "their", "theirs"})


@dataclass(frozen=True, slots=True)
class Meant:
    """Who and where the question before was about; nobody and None at the start of a conversation."""

    people: tuple[str, ...] = ()
    room: str | None = None

    @staticmethod
    def by(before: Intent | None, home: Home) -> Meant:
        """What is left of it: somebody who was forgotten, or a room that is gone, is meant by nothing."""
        if before is None:
            return Meant()
        known = {subject.subject_id for subject in home.household.subjects}
        return Meant(
            tuple(one for one in before.subject_ids if one in known),
            before.room if before.room in home.rooms else None,
        )


def points_back(tokens: Sequence[Token]) -> bool:
    """Whether "there" is the room of the question before: beside a pronoun, with no room named."""
    words = {token.value for token in tokens if token.kind == "word"}
    return "there" in words and bool(words & v.PRONOUNS) and all(token.kind != "room" for token in tokens)


def in_full(tokens: Sequence[Token], meant: Meant, home: Home) -> tuple[Token, ...]:
    """The question with the people in place of the pronouns.

    Raises:
        UsageError: a pronoun that means nobody, or may mean several people.
    """
    named = any(token.kind == "person" for token in tokens)
    full: list[Token] = []
    for token in tokens:
        if token.kind != "word" or token.value not in v.PRONOUNS:
            full.append(token)
            continue
        one = token.value not in v.PLURAL_PRONOUNS
        if named or not meant.people or (one and len(meant.people) > 1):
            raise trouble.unnamed(home, token.value)
        for index, subject_id in enumerate(meant.people):
            full += [Token("word", "and")] * (index > 0) + [Token("person", subject_id)]
        full += [Token("word", "'s")] * (token.value in _OWNING)
    return tuple(full)
