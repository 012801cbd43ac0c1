"""A question's text to tokens: people, rooms and words. Knows no kinds of questions.

Names and rooms are found in the text itself, before it is cut into words, so that a name may hold spaces,
punctuation or any script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from runtime.contract.household import Household, tidy
from runtime.questions.vocabulary import ENDINGS, EXPANSIONS, GRAMMAR, PHRASES, ROOM_SYNONYMS

MAX_UNCERTAIN = 6
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|'s(?![^\W_])|[,&]")
_BEFORE_A_ROOM = frozenset({"in", "inside", "the", "into", "at", "my", "our", "from"})
_OPENINGS = frozenset({"is", "are", "where is", "where are", "where's", "what is", "what are", "what's"})


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a question.

    Attributes:
        kind: `person`, `room`, or `word` (a comma is the word ",").
        value: the subject id, the room as configured, or the word, case folded.
        capital: a word or name written with a capital letter that does not open the sentence.
    """

    kind: Literal["word", "person", "room"]
    value: str
    capital: bool = False


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    kind: Literal["person", "room"]
    value: str
    uncertain: bool
    likely: bool


def plain(text: str) -> str:
    """Text as names are compared."""
    return tidy(text).casefold()


def readings(text: str, household: Household, rooms: Sequence[str]) -> Iterator[tuple[Token, ...]]:
    """Every way to read a question, the likeliest first.

    There are several only when somebody's name is an ordinary word ("Will", "May").
    """
    cased = tidy(text)
    folded, capitals = _folded(cased)
    matches = _matches(folded, capitals, household, rooms)
    uncertain = [match for match in matches if match.uncertain][:MAX_UNCERTAIN]
    certain = [match for match in matches if not match.uncertain]
    choices = sorted(
        product((False, True), repeat=len(uncertain)),
        key=lambda taken: sum(-1 if m.likely else 1 for m, t in zip(uncertain, taken, strict=True) if t),
    )
    for taken in choices:
        chosen = certain + [match for match, take in zip(uncertain, taken, strict=True) if take]
        yield _tokens(folded, capitals, chosen)


def _folded(cased: str) -> tuple[str, list[bool]]:
    """The case-folded text, and for each of its characters whether it was a capital inside a sentence."""
    shouted = cased.isupper()
    opening = next((index for index, char in enumerate(cased) if char.isalnum()), 0)
    pieces: list[str] = []
    capitals: list[bool] = []
    for index, char in enumerate(cased):
        folded = char.casefold()
        pieces.append(folded)
        capitals += [char.isupper() and index > opening and not shouted] * len(folded)
    return "".join(pieces), capitals


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _occurrences(text: str, part: str) -> Iterator[int]:
    """Where `part` stands in `text` and is not a piece of a longer word."""
    start = text.find(part)
    while start >= 0:
        end = start + len(part)
        joined_left = start > 0 and _is_word(text[start - 1]) and _is_word(part[0])
        joined_right = end < len(text) and _is_word(text[end]) and _is_word(part[-1])
        if not joined_left and not joined_right:
            yield start
        start = text.find(part, start + 1)


def _matches(text: str, capitals: list[bool], household: Household, rooms: Sequence[str]) -> list[_Match]:
    found: list[_Match] = []
    for subject in household.subjects:
        for name in (subject.name, *subject.aliases):
            word = plain(name)
            ordinary = GRAMMAR.issuperset(_words_of(word))
            for start in _occurrences(text, word) if word else ():
                likely = capitals[start] or text[:start].strip() in _OPENINGS
                found.append(_Match(start, start + len(word), "person", subject.subject_id, ordinary, likely))
    for spoken, room in room_words(rooms).items():
        for start in _occurrences(text, spoken):
            found.append(_Match(start, start + len(spoken), "room", room, False, True))
    return found


def room_words(rooms: Sequence[str]) -> dict[str, str]:
    """Every way to say each room, case folded, to the room as configured."""
    said: dict[str, str] = {}
    for room in rooms:
        for between in (None, " ", "-", "_"):
            form = plain(room) if between is None else re.sub(r"[\s_-]+", between, plain(room)).strip(" _-")
            if form:
                said.setdefault(form, room)
    for name, others in ROOM_SYNONYMS.items():
        for other in others:
            if name in said:
                said.setdefault(other, said[name])
    return said


def _tokens(text: str, capitals: list[bool], matches: list[_Match]) -> tuple[Token, ...]:
    """Leftmost and longest match first; what lies between is cut into words."""
    ordered = sorted(matches, key=lambda match: (match.start, -match.end, _is_room(text, match)))
    tokens: list[Token] = []
    position = 0
    for match in ordered:
        if match.start < position:
            continue
        tokens += _words_between(text, capitals, position, match.start)
        tokens.append(Token(match.kind, match.value, capitals[match.start]))
        position = match.end
    tokens += _words_between(text, capitals, position, len(text))
    return tuple(tokens)


def _is_room(text: str, match: _Match) -> int:
    """0 sorts first: where a name is also a room, "in" or "the" before it makes it a room."""
    before = text[: match.start].split()
    room_wanted = bool(before) and before[-1] in _BEFORE_A_ROOM
    return 0 if (match.kind == "room") is room_wanted else 1


def _words_between(text: str, capitals: list[bool], start: int, end: int) -> list[Token]:
    piece = text[start:end]
    for phrase, meant in PHRASES.items():
        piece = re.sub(rf"(?<!\w){phrase}(?!\w)", meant.ljust(len(phrase)), piece)
    tokens: list[Token] = []
    for found in _WORD.finditer(piece):
        capital = capitals[start + found.start()]
        tokens += [Token("word", word, capital) for word in _expand(found.group())]
    return tokens


def _words_of(text: str) -> list[str]:
    return [word for found in _WORD.finditer(text) for word in _expand(found.group())] or [text]


def _expand(word: str) -> tuple[str, ...]:
    """Contractions taken apart: "what's" is "what", "is"; "mum's" is "mum", "'s"."""
    if word in EXPANSIONS:
        return EXPANSIONS[word]
    if word == "&":
        return ("and",)
    if word.endswith("n't"):
        return (word[:-3], "n't")
    if word.endswith("'s") and len(word) > 2:
        return (word[:-2], "is" if word[:-2] in GRAMMAR else "'s")
    for ending, full in ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return (word[: -len(ending)], full)
    return (word,)
