"""Which kind of question the marker words name, and which words that kind may hold. Knows no names.

"where" asks for a place, "wearing" for clothes, "doing" for an action, "who" for people; two such markers
are two questions, and a name without a marker asks whether somebody is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from runtime.contract.dialogue import Kind
from runtime.questions import trouble
from runtime.questions import vocabulary as v
from runtime.questions.lexer import Token
from runtime.questions.trouble import Home

_COMMON = v.AUXILIARIES | v.ARTICLES | v.FILLERS | v.PLACES | v.PRESENCE | {"'s", ","}
_LOOKING = frozenset({"look", "looks", "looking"})
_HAVING = frozenset({"have", "has", "got"})
_SEEN_IN_A_SCENE = v.CLIP | {"picture", "image", "frame", "view"}
_SOMEBODY = v.ANYBODY - {"people", "person", "persons"}


def is_another_time(tokens: Sequence[Token]) -> bool:
    """Whether the question is about the past or the future; the past of a clip counts as now."""
    words = [token.value if token.kind == "word" else "" for token in tokens]
    told = set(words)
    excused: set[str] = set()
    if told & v.CLIP:
        excused |= v.PAST_OF_A_CLIP
    if "did" in told and told & v.ARRIVING:
        excused.add("did")
    if gerunds(tokens):
        excused.add("left")
    if words and words[0] in ("has", "have") and "today" in told:
        return True
    for word, following in pairwise([*words, ""]):
        if (word in v.HISTORY and word not in excused) or (word == "going" and following == "to"):
            return True
        if word == "at" and following[:1].isdigit():
            return True
    return False


def gerunds(tokens: Sequence[Token]) -> list[str]:
    """Words such as "drinking" that name an action."""
    return [
        token.value
        for token in tokens
        if token.kind == "word"
        and re.fullmatch(r"[a-z]{2,}ing", token.value)
        and token.value not in v.NOT_ACTIONS | v.ACTION
        and token.value not in _COMMON
    ]


def find_kind(tokens: Sequence[Token], home: Home) -> tuple[Kind, bool]:
    """The kind, and whether everybody enrolled is asked about.

    Raises:
        RefusedError: no kind, or more than one.
    """
    words = [token.value for token in tokens if token.kind == "word"]
    told = set(words)
    named = any(token.kind == "person" for token in tokens)
    found = _markers(tokens, words, named)
    everybody = not named and bool(told & v.EVERYBODY) and not told & {"who", "whom"}
    if "stranger" in found:
        found -= {"who"}
    elif told & v.GONE - ({"left"} if "action" in found else set()):
        raise trouble.about_company(home) if "alone" in told else trouble.about_absence(home)
    if _negated(words, found):
        raise trouble.not_understood(home, "ask without a negation")
    if everybody and "stranger" not in found:
        found -= {"who"}
        if "location" in found:
            return "who", False
        return (_only(found, home) if found else "existence"), True
    if len(found) == 1:
        kind = _only(found, home)
        if kind in ("who", "stranger") and named:
            raise trouble.not_understood(home, "ask who is there, or about somebody by name")
        return kind, False
    if found:
        raise trouble.one_at_a_time(home, " and ".join(sorted(found)))
    if not named and not _asks_for_presence(tokens, words):
        raise trouble.not_understood(home)
    return "existence", False


def _only(found: set[Kind], home: Home) -> Kind:
    if len(found) > 1:
        raise trouble.one_at_a_time(home, " and ".join(sorted(found)))
    return next(iter(found))


def _markers(tokens: Sequence[Token], words: list[str], named: bool) -> set[Kind]:
    told, pairs = set(words), set(pairwise(words))
    found: set[Kind] = set()
    if _asks_for_strangers(words, pairs):
        found.add("stranger")
    searched = "find" in told and not told & _SEEN_IN_A_SCENE and not any(t.kind == "room" for t in tokens)
    if told & (v.WHERE - {"find"}) or searched or any(a in v.WHICH and b in v.ROOM_WORDS for a, b in pairs):
        found.add("location")
    if _asks_for_appearance(words):
        found.add("appearance")
    doing = _asks_for_action(words, pairs)
    moving = gerunds(tokens)
    if doing or (moving and not (found & {"location", "who"} and v.POSTURES.issuperset(moving))):
        found.add("action")
    if told & _SOMEBODY or (not named and told & v.ANYBODY):
        found.add("who")
    if "who" in found and v.POSTURES.issuperset(moving) and not doing:
        found.discard("action")
    return found


def _asks_for_strangers(words: list[str], pairs: set[tuple[str, str]]) -> bool:
    told = set(words)
    denied = told & {"not", "n't"} and told & (v.KNOWING | v.MEMBERSHIP)
    return bool(
        told & v.STRANGER
        or (denied and told & v.ANYBODY)
        or any(left in v.KNOWING and right in v.EVERYBODY for left, right in pairs)
    )


def _asks_for_appearance(words: list[str]) -> bool:
    told = set(words)
    looks = told & _LOOKING and (("like" in told and told & {"what", "describe"}) or "how" in told)
    has_on = told & _HAVING and "on" in told and told & v.ASKING
    described = "describe" in told and not told & (v.ACTION | v.WHERE | {"room", "up"})
    return bool(told & (v.WEAR | v.GARMENTS) or looks or has_on or described)


def _asks_for_action(words: list[str], pairs: set[tuple[str, str]]) -> bool:
    told = set(words)
    if "how" in told:
        return False
    other = v.WEAR | _LOOKING | _HAVING | {"know", "see", "tell"}
    does = {"what", "do"} <= told and not told & other
    return bool(
        told & v.ACTION
        or does
        or ("looking", "around") in pairs
        or ("what" in told and {("up", "to"), ("going", "on"), ("is", "up")} & pairs)
    )


def _negated(words: list[str], found: set[Kind]) -> bool:
    if "stranger" in found:
        return False
    opening = words[1:2] == ["n't"] and "who" not in found
    rest = words[2:] if opening else words
    return bool(v.NEGATIONS.intersection(rest))


def _asks_for_presence(tokens: Sequence[Token], words: list[str]) -> bool:
    """A yes-or-no question about some place, though it names nobody known."""
    place = any(token.kind == "room" for token in tokens) or v.PLACES.intersection(words)
    opening = words[0] if words else ""
    if opening in ("is", "are", "am", "has", "have", "'s"):
        return bool(place or v.PRESENCE.intersection(words))
    return opening in v.AUXILIARIES | v.FILLERS and bool(v.PRESENCE.intersection(words))


def allowed_words(tokens: Sequence[Token], kind: Kind) -> frozenset[str]:
    """The words that a question of this kind may hold beside names and rooms."""
    extra: frozenset[str] = frozenset(gerunds(tokens))
    told = {token.value for token in tokens if token.kind == "word"}
    if told & v.CLIP:
        extra |= v.PAST_OF_A_CLIP
    by_kind: dict[Kind, frozenset[str]] = {
        "existence": v.EVERYBODY | {"whole", "two", "three", "n't", "did"},
        "location": v.WHERE | v.WHICH | v.ROOM_WORDS | v.POSTURES | v.EVERYBODY | {"n't", "about"},
        "appearance": v.WEAR | v.GARMENTS | v.ASKING | v.EVERYBODY | v.DESCRIBING | _LOOKING | {"like"},
        "action": v.ACTION | v.ACTION_NOUNS | v.ASKING | v.EVERYBODY | {"going", "looking", "about"},
        "who": v.ANYBODY | v.ANYBODY_FILLERS | v.POSTURES | v.WHERE | v.WHICH,
        "stranger": v.ANYBODY | v.ANYBODY_FILLERS | v.STRANGER | v.STRANGER_FILLERS | v.NEGATIONS,
    }
    if kind in ("existence", "appearance") and extra:
        extra &= v.PAST_OF_A_CLIP
    return _COMMON | by_kind[kind] | extra
