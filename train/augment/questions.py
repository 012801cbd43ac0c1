"""Questions and answers for training, made from what a clip's script says. Knows no pictures, no tokenizer.

Sentences are lower case with spaces around punctuation; people are the slot tokens of the prompt. One wording
in five is held out: `split="test"` gives only wordings that `split="train"` never gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from types import MappingProxyType

import numpy as np

from runtime.contract.dialogue import Kind
from runtime.contract.errors import UsageError
from runtime.contract.prompt import MAX_SUBJECTS, NO, SLOTS, YES, canonical_question
from train.augment import bank_describe, bank_one, bank_three, bank_two
from train.augment.bank_facts import MAX_ASKED, Fact, facts_from_script, pick_enrolled
from train.augment.bank_words import (
    ACTION_PHRASES,
    BOTTOM_PHRASES,
    COLOURS,
    TOP_PHRASES,
    garment,
    phrase_of,
    slots_in,
)
from train.world.palette import BOTTOM_COLOURS, CLOTH
from train.world.script import BOTTOM_KINDS, ROOM_PHRASES, TOP_KINDS
from train.world.traits import Split

__all__ = [
    "BANK",
    "QA",
    "Fact",
    "corpus",
    "facts_from_script",
    "make_qa",
    "pick_enrolled",
    "questions_for",
    "slots_in",
]

_HELD_OUT_EVERY = 5
_SIZE_SHARES = (0.5, 0.3, 0.2)
DESCRIBED: tuple[Kind, ...] = ("action", "appearance", "location")
ASKED_KINDS: tuple[Kind, ...] = ("existence", *DESCRIBED)

BANK: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "existence.1.question": bank_one.EXISTENCE_QUESTIONS,
        "existence.1.0": bank_one.NO_ANSWERS,
        "existence.1.1": bank_one.YES_ANSWERS,
        "existence.2.question": bank_two.QUESTIONS,
        "existence.2.0": bank_two.NEITHER,
        "existence.2.1": bank_two.ONE,
        "existence.2.2": bank_two.BOTH,
        "existence.3.question": bank_three.QUESTIONS,
        "existence.3.0": bank_three.NONE,
        "existence.3.1": bank_three.ONE,
        "existence.3.2": bank_three.PAIR,
        "existence.3.3": bank_three.ALL,
        "action.question": bank_describe.ACTION_QUESTIONS,
        "action.answer": bank_describe.ACTION_ANSWERS,
        "action.refusal": bank_describe.ACTION_REFUSALS,
        "action.unclear": bank_describe.ACTION_UNCLEAR,
        "appearance.question": bank_describe.APPEARANCE_QUESTIONS,
        "appearance.answer": bank_describe.APPEARANCE_ANSWERS,
        "appearance.top": bank_describe.TOP_ANSWERS,
        "appearance.refusal": bank_describe.APPEARANCE_REFUSALS,
        "appearance.unclear": bank_describe.APPEARANCE_UNCLEAR,
        "location.question": bank_describe.LOCATION_QUESTIONS,
        "location.answer": bank_describe.LOCATION_ANSWERS,
        "location.refusal": bank_describe.LOCATION_REFUSALS,
        "location.unclear": bank_describe.LOCATION_UNCLEAR,
    }
)
"""Wordings by purpose. `existence.N.K` answers a question about N people of whom K are there."""


@dataclass(frozen=True, slots=True)
class QA:
    """One question with its answer.

    Attributes:
        slots: who is asked about, in the order of the question.
        target: what the answer claims; always equal to `slots_in(answer)`.
    """

    question: str
    answer: str
    kind: Kind
    slots: tuple[int, ...]
    target: dict[str, str]


@cache
def wordings(key: str, split: Split) -> tuple[str, ...]:
    """The wordings of one purpose that belong to a split."""
    held_out = split == "test"
    return tuple(
        text
        for index, text in enumerate(BANK[key])
        if (index % _HELD_OUT_EVERY == _HELD_OUT_EVERY - 1) is held_out
    )


def make_qa(
    rng: np.random.Generator,
    facts: Sequence[Fact],
    kind: Kind,
    slots: Sequence[int],
    *,
    split: Split = "train",
    canonical_share: float = 0.5,
) -> QA:
    """One question and its true answer.

    Args:
        slots: whom to ask about: 1 to 3 for existence, exactly 1 for the other kinds.
        canonical_share: how often, 0..1, the question is in the wording that the runtime uses. Such a
            question has one wording of its answer: the answer's probability is that of what it claims.

    Raises:
        UsageError: a kind that the language model is never asked, or slots that the facts lack.
    """
    asked = _asked(facts, kind, slots)
    if kind == "existence":
        key, fields, target = _presence(asked)
        question_key = f"existence.{len(asked)}.question"
    else:
        key, fields, target = _description(kind, asked[0])
        question_key = f"{kind}.question"
    if rng.random() < canonical_share:
        return QA(canonical_question(kind, slots), BANK[key][0].format(**fields), kind, tuple(slots), target)
    question = _pick(rng, question_key, split).format(**fields)
    answer = _pick(rng, key, split).format(**fields)
    return QA(question, answer, kind, tuple(slots), target)


def _pick(rng: np.random.Generator, key: str, split: Split) -> str:
    choices = wordings(key, split)
    return choices[int(rng.integers(len(choices)))]


def _asked(facts: Sequence[Fact], kind: Kind, slots: Sequence[int]) -> list[Fact]:
    if kind not in ASKED_KINDS:
        raise UsageError(
            f"the language model is not asked questions of kind {kind!r}.",
            "Ask for existence or a description.",
        )
    most = MAX_ASKED if kind == "existence" else 1
    if not 1 <= len(slots) <= most or len(set(slots)) != len(slots):
        raise UsageError(
            f"a question of kind {kind!r} is about 1 to {most} different people, got {list(slots)}."
        )
    by_slot = {fact.slot: fact for fact in facts}
    unknown = [slot for slot in slots if slot not in by_slot or not 0 <= slot < MAX_SUBJECTS]
    if unknown:
        raise UsageError(f"no fact for slot {unknown[0]}.", f"Slots with facts: {sorted(by_slot)}.")
    return [by_slot[slot] for slot in slots]


def _presence(asked: Sequence[Fact]) -> tuple[str, dict[str, str], dict[str, str]]:
    here = [SLOTS[fact.slot] for fact in asked if fact.present]
    gone = [SLOTS[fact.slot] for fact in asked if not fact.present]
    fields = dict(zip("abc", (SLOTS[fact.slot] for fact in asked), strict=False))
    fields |= dict(zip(("here", "here2"), here, strict=False))
    fields |= dict(zip(("gone", "gone2"), gone, strict=False))
    return f"existence.{len(asked)}.{len(here)}", fields, {"verdict": NO if gone else YES}


def _description(kind: Kind, fact: Fact) -> tuple[str, dict[str, str], dict[str, str]]:
    fields = {"a": SLOTS[fact.slot]}
    refused = {"refused": "yes"}
    if not fact.present:
        return f"{kind}.refusal", fields, refused
    if kind == "action" and fact.action is not None:
        fields["action"] = phrase_of(ACTION_PHRASES, fact.action, "action")
        return "action.answer", fields, {"action": fact.action}
    if kind == "location" and fact.room is not None:
        fields["room"] = phrase_of(ROOM_PHRASES, fact.room, "room")
        return "location.answer", fields, {"room": fact.room}
    if kind == "appearance" and fact.top_color is not None and fact.top_kind is not None:
        fields["a_top"] = garment(fact.top_color, fact.top_kind, TOP_PHRASES)
        target = {"top_color": fact.top_color, "top_kind": fact.top_kind}
        if fact.bottom_color is None or fact.bottom_kind is None:
            return "appearance.top", fields, target
        fields["a_bottom"] = garment(fact.bottom_color, fact.bottom_kind, BOTTOM_PHRASES)
        return (
            "appearance.answer",
            fields,
            {**target, "bottom_color": fact.bottom_color, "bottom_kind": fact.bottom_kind},
        )
    return f"{kind}.unclear", fields, refused


def questions_for(
    facts: Sequence[Fact],
    rng: np.random.Generator,
    *,
    count: int = 8,
    split: Split = "train",
    canonical_share: float = 0.5,
    existence_share: float = 0.5,
) -> list[QA]:
    """A balanced list about one clip: yes as often as no, as many people described who are there as not."""
    made = []
    for _ in range(count):
        wanted = bool(rng.integers(2))
        if rng.random() < existence_share:
            kind: Kind = "existence"
            slots = _existence_slots(facts, rng, wanted)
        else:
            kind = DESCRIBED[int(rng.integers(len(DESCRIBED)))]
            pool = [fact.slot for fact in facts if fact.present is wanted] or [fact.slot for fact in facts]
            slots = (pool[int(rng.integers(len(pool)))],)
        made.append(make_qa(rng, facts, kind, slots, split=split, canonical_share=canonical_share))
    return made


def _existence_slots(facts: Sequence[Fact], rng: np.random.Generator, wanted: bool) -> tuple[int, ...]:
    """People of whom all are there (`wanted`) or not all; fewer, or of either truth, when there are none."""
    most = min(len(facts), MAX_ASKED)
    first = min(1 + int(rng.choice(MAX_ASKED, p=_SIZE_SHARES)), most)
    for size in range(first, 0, -1):
        groups = [
            group for group in combinations(facts, size) if all(fact.present for fact in group) is wanted
        ]
        if groups:
            break
    else:
        groups = list(combinations(facts, first))
    group = groups[int(rng.integers(len(groups)))]
    return tuple(group[int(index)].slot for index in rng.permutation(len(group)))


def corpus(rng: np.random.Generator, n: int, *, split: Split = "train") -> Iterator[str]:
    """`n` sentences for a tokenizer: every wording and value once, then at random."""
    fixed = [text.format(**_any_fields(rng)) for key in BANK for text in wordings(key, split)]
    fixed += [f"{SLOTS[0]} is {phrase} ." for phrase in ACTION_PHRASES.values()]
    fixed += [f"{SLOTS[0]} is in {phrase} ." for phrase in ROOM_PHRASES.values()]
    fixed += [f"{SLOTS[0]} is wearing {garment(colour, 'shirt', TOP_PHRASES)} ." for colour in COLOURS]
    yield from fixed[:n]
    left = n - len(fixed)
    while left > 0:
        facts = [_any_fact(rng, slot) for slot in range(MAX_ASKED)]
        (qa,) = questions_for(facts, rng, count=1, split=split)
        yield from (qa.question, qa.answer)[:left]
        left -= 2


@cache
def words() -> tuple[str, ...]:
    """Every word and mark that a sentence of the bank can hold, slot tokens included, sorted."""
    texts = [re.sub(r"{\w+}", "", text) for key in BANK for text in BANK[key]]
    texts += [canonical_question(kind, (0, 1)) for kind in ASKED_KINDS]
    texts += [
        *ACTION_PHRASES.values(),
        *ROOM_PHRASES.values(),
        *TOP_PHRASES.values(),
        *BOTTOM_PHRASES.values(),
    ]
    texts += [*COLOURS, *SLOTS, "a", "an"]
    return tuple(sorted({word for text in texts for word in text.split()}))


def _one_of(rng: np.random.Generator, values: Sequence[str]) -> str:
    return values[int(rng.integers(len(values)))]


def _any_fact(rng: np.random.Generator, slot: int) -> Fact:
    if rng.random() < 0.5:
        return Fact(slot, False)
    return Fact(
        slot,
        True,
        action=_one_of(rng, tuple(ACTION_PHRASES)),
        room=_one_of(rng, tuple(ROOM_PHRASES)),
        top_color=_one_of(rng, tuple(CLOTH)),
        top_kind=_one_of(rng, TOP_KINDS),
        bottom_color=_one_of(rng, BOTTOM_COLOURS),
        bottom_kind=_one_of(rng, BOTTOM_KINDS),
    )


def _any_fields(rng: np.random.Generator) -> dict[str, str]:
    tokens = [SLOTS[int(index)] for index in rng.permutation(MAX_SUBJECTS)]
    names = ("a", "b", "c", "here", "here2", "gone", "gone2")
    return dict(zip(names, tokens, strict=False)) | {
        "action": _one_of(rng, tuple(ACTION_PHRASES.values())),
        "room": _one_of(rng, tuple(ROOM_PHRASES.values())),
        "a_top": garment(_one_of(rng, tuple(CLOTH)), _one_of(rng, TOP_KINDS), TOP_PHRASES),
        "a_bottom": garment(_one_of(rng, BOTTOM_COLOURS), _one_of(rng, BOTTOM_KINDS), BOTTOM_PHRASES),
    }
