"""Tokens to an `Intent`, or to the error that says what to ask instead. Knows no text and no models.

A question is understood when its marker words name one kind and every other word is one that this kind may
hold. A word that is not known is never skipped: skipping "not", "alone" or a second name would answer another
question than the one that was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from runtime.contract.dialogue import Intent, Kind
from runtime.contract.errors import PvchatError
from runtime.contract.household import Household
from runtime.contract.prompt import MAX_SUBJECTS
from runtime.questions import trouble
from runtime.questions import vocabulary as v
from runtime.questions.kinds import allowed_words, find_kind, gerunds, is_another_time
from runtime.questions.lexer import Token, readings
from runtime.questions.pronouns import Meant, in_full, points_back
from runtime.questions.trouble import Home

MAX_CHARS = 500
_IN = frozenset({"in", "inside", "into", "at", "from"})
_JOINING = frozenset({"and", ",", "with", "or"})
_MAX_NAME_WORDS = 3


def parse(text: str, household: Household, rooms: Sequence[str], *, before: Intent | None = None) -> Intent:
    """What a household member asks.

    Args:
        text: their own words.
        household: who can be asked about, by name or alias.
        rooms: rooms as configured; empty when rooms do not apply.
        before: what was asked before in this conversation: "she" and "there" mean whom and where that named.

    Raises:
        UsageError: an empty or endless question, a name or room that nobody knows, a pronoun that may mean
            anybody.
        RefusedError: not understood, or about another time than now; the next step holds examples.
    """
    trouble.check_text(text, MAX_CHARS)
    home = Home(household, tuple(rooms), text)
    meant = Meant.by(before, home)
    first: PvchatError | None = None
    for tokens in readings(text, household, rooms):
        try:
            return _understand(_trimmed(tokens), home, meant)
        except PvchatError as error:
            first = first or error
    raise first or trouble.not_understood(home)


def _trimmed(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Without greetings in front and a tag behind a comma (", right?")."""
    start, end = 0, len(tokens)
    while start < end and tokens[start].value in {*v.GREETINGS, ","} and tokens[start].kind == "word":
        start += 1
    tags = [index for index in range(start, end) if tokens[index] == Token("word", ",")]
    if tags and tags[-1] > start and all(token.value in v.TAGS for token in tokens[tags[-1] + 1 : end]):
        end = tags[-1]
    return tokens[start:end]


def _understand(tokens: tuple[Token, ...], home: Home, meant: Meant) -> Intent:
    there = meant.room if points_back(tokens) else None
    tokens = in_full(tokens, meant, home)
    words = [token.value for token in tokens if token.kind == "word"]
    people = tuple(dict.fromkeys(token.value for token in tokens if token.kind == "person"))
    rooms = tuple(dict.fromkeys(token.value for token in tokens if token.kind == "room"))
    _check_shape(tokens, home)
    if is_another_time(tokens):
        raise trouble.about_another_time(home)
    if v.ALTERNATIVES.intersection(words):
        raise trouble.one_at_a_time(home, "one thing or another")
    kind, everybody = find_kind(tokens, home)
    _check_leftovers(tokens, kind, people, home)
    if len(rooms) > 1:
        raise trouble.one_at_a_time(home, "several rooms")
    if everybody:
        people = tuple(subject.subject_id for subject in home.household.subjects)
    if kind in ("who", "stranger"):
        return Intent(kind, (), rooms[0] if rooms else None)
    if not people:
        raise trouble.not_understood(home, "it names nobody")
    if len(people) > MAX_SUBJECTS:
        raise trouble.too_many(len(people), MAX_SUBJECTS)
    return Intent(kind, people, rooms[0] if rooms else there)


def _check_shape(tokens: tuple[Token, ...], home: Home) -> None:
    """Names stand apart, do not own rooms, and do not look themselves."""
    asks_for_looks = any(token.value in ("what", "how", "describe") for token in tokens)
    for left, right in pairwise(tokens):
        if left.kind == "person" and right.kind == "person" and left.value != right.value:
            raise trouble.not_understood(home, "two names stand side by side")
        if left.kind == "person" and right.kind == "word" and right.value in v.VERBS_OF_A_SUBJECT:
            if right.value == "look" and asks_for_looks:
                continue
            raise trouble.not_understood(home, f'"{right.value}" is not something that I can judge')
    for owner, mark, thing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (
            owner.kind == "person"
            and mark.value == "'s"
            and (thing.kind == "room" or thing.value in v.ROOM_WORDS)
        ):
            raise trouble.unknown_room(home, f"{_name(home, owner.value)}'s {trouble.said(thing.value)}")


def _name(home: Home, subject_id: str) -> str:
    return next(subject.name for subject in home.household.subjects if subject.subject_id == subject_id)


def _check_leftovers(tokens: tuple[Token, ...], kind: Kind, people: tuple[str, ...], home: Home) -> None:
    """Raises for words that the kind may not hold: a name, a room, or something not understood."""
    chunks = _chunks(tokens, allowed_words(tokens, kind))
    for start, end in chunks:
        piece = " ".join(token.value for token in tokens[start:end])
        before = start - 1
        while before >= 0 and tokens[before].value in v.ARTICLES and tokens[before].kind == "word":
            before -= 1
        previous = tokens[before] if before >= 0 else None
        if v.GRAMMAR.issuperset(token.value for token in tokens[start:end]):
            continue
        if previous is not None and previous.kind == "word" and previous.value in _IN:
            raise trouble.unknown_room(home, piece)
        if kind in ("who", "stranger") or end - start > _MAX_NAME_WORDS:
            continue
        if _is_name(tokens, start, end, previous) if people else len(chunks) == 1:
            raise trouble.unknown_name(home, piece)
    if chunks:
        start, end = chunks[0]
        piece = " ".join(token.value for token in tokens[start:end])
        raise trouble.not_understood(home, f'"{piece}" is more than I can judge')


def _is_name(tokens: tuple[Token, ...], start: int, end: int, previous: Token | None) -> bool:
    """Whether an unknown piece beside known names stands where a name would; no name: "watching TV"."""
    if previous is not None and gerunds([previous]):
        return False
    following = tokens[end] if end < len(tokens) else None
    joined = (previous is not None and previous.value in _JOINING) or (
        following is not None and following.value in _JOINING
    )
    return joined or tokens[start].capital


def _chunks(tokens: tuple[Token, ...], allowed: frozenset[str]) -> list[tuple[int, int]]:
    """Runs of words that are not allowed, as start and end."""
    runs: list[tuple[int, int]] = []
    for index, token in enumerate(tokens):
        if token.kind != "word" or token.value in allowed:
            continue
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs
