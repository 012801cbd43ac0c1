"""How the world's values are said, and how they are read back from a sentence. Knows no questions.

The lists come from the world's own tables, so that a new action or room is said as soon as it can be drawn.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from runtime.contract.errors import UsageError
from runtime.contract.prompt import NO, YES
from train.world.palette import BOTTOM_COLOURS, CLOTH
from train.world.pose import ACTIONS
from train.world.script import ROOM_PHRASES

ACTION_PHRASES: Mapping[str, str] = MappingProxyType(
    {name: action.phrase for name, action in ACTIONS.items()}
)
TOP_PHRASES: Mapping[str, str] = MappingProxyType(
    {"t-shirt": "t-shirt", "shirt": "shirt", "sweater": "sweater", "striped": "striped top"}
)
BOTTOM_PHRASES: Mapping[str, str] = MappingProxyType({"trousers": "trousers", "skirt": "skirt"})
COLOURS: tuple[str, ...] = tuple(dict.fromkeys((*CLOTH, *BOTTOM_COLOURS)))
_PLURAL = frozenset({"trousers"})
_REFUSING = frozenset({"not", "cannot", "without", "no", "nobody", "none", "neither", "missing"})


def _any_of(phrases: Iterable[str]) -> str:
    longest_first = sorted(phrases, key=len, reverse=True)
    return "(" + "|".join(re.escape(phrase) for phrase in longest_first) + r")(?![\w-])"


_START = r"(?<![\w-])"
_ACTION = re.compile(_START + _any_of(ACTION_PHRASES.values()))
_ROOM = re.compile(_START + _any_of(ROOM_PHRASES.values()))
_TOP = re.compile(_START + "(" + "|".join(COLOURS) + ") " + _any_of(TOP_PHRASES.values()))
_BOTTOM = re.compile(_START + "(" + "|".join(COLOURS) + ") " + _any_of(BOTTOM_PHRASES.values()))


def phrase_of(table: Mapping[str, str], value: str, what: str) -> str:
    """The words for one of the world's values.

    Raises:
        UsageError: the table lacks it.
    """
    if value not in table:
        raise UsageError(f"no words for {what} {value!r}.", f"Known: {', '.join(table)}.")
    return table[value]


def garment(colour: str, kind: str, table: Mapping[str, str]) -> str:
    """A garment with its article: "a red sweater", "an orange shirt", "blue trousers"."""
    if colour not in COLOURS:
        raise UsageError(f"no words for colour {colour!r}.", f"Known: {', '.join(COLOURS)}.")
    words = f"{colour} {phrase_of(table, kind, 'garment')}"
    if kind in _PLURAL:
        return words
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {words}"


def slots_in(answer: str) -> dict[str, str]:
    """What a sentence claims, as values of the world.

    Returns:
        `verdict` (yes, no) alone for an answer about presence; `refused` alone for one that declines; else
        any of `action`, `room`, `top_color`, `top_kind`, `bottom_color`, `bottom_kind`; empty when
        nothing is claimed.
    """
    text = answer.lower()
    words = re.findall(r"[\w-]+", text)
    if words and words[0] in (YES, NO):
        return {"verdict": words[0]}
    if _REFUSING.intersection(words):
        return {"refused": "yes"}
    found: dict[str, str] = {}
    if match := _ACTION.search(text):
        found["action"] = _value(ACTION_PHRASES, match.group(1))
    if match := _ROOM.search(text):
        found["room"] = _value(ROOM_PHRASES, match.group(1))
    if match := _TOP.search(text):
        found |= {"top_color": match.group(1), "top_kind": _value(TOP_PHRASES, match.group(2))}
    if match := _BOTTOM.search(text):
        found |= {"bottom_color": match.group(1), "bottom_kind": _value(BOTTOM_PHRASES, match.group(2))}
    return found


def _value(table: Mapping[str, str], phrase: str) -> str:
    return next(value for value, words in table.items() if words == phrase)
