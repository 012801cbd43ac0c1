"""Claims about "she", "they" and "there": whom and where the question before was about, and never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.dialogue import Intent
from runtime.contract.errors import UsageError
from runtime.contract.household import Household, Subject
from runtime.questions import parse
from runtime.questions.vocabulary import PRONOUNS

GRANDMA, TOM, GONE = ("s" + letter * 32 for letter in "abc")
HOME = Household("h1", (Subject(GRANDMA, "Grandma"), Subject(TOM, "Tom")))
ROOMS = ("kitchen", "living room")
IN_THE_KITCHEN = Intent("existence", (GRANDMA,), "kitchen")
BOTH = Intent("existence", (GRANDMA, TOM), "kitchen")


def ask(text: str, before: Intent | None) -> Intent:
    return parse(text, HOME, ROOMS, before=before)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Is she still there?", Intent("existence", (GRANDMA,), "kitchen")),
        ("Is she here?", Intent("existence", (GRANDMA,), None)),
        ("Is she in the living room?", Intent("existence", (GRANDMA,), "living room")),
        ("Is he there now?", Intent("existence", (GRANDMA,), "kitchen")),
        ("Where is she?", Intent("location", (GRANDMA,), None)),
        ("What is she doing?", Intent("action", (GRANDMA,), None)),
        ("What's she doing there?", Intent("action", (GRANDMA,), "kitchen")),
        ("What is she wearing?", Intent("appearance", (GRANDMA,), None)),
        ("What colour is her shirt?", Intent("appearance", (GRANDMA,), None)),
        ("Can you see her?", Intent("existence", (GRANDMA,), None)),
        ("Can you see her in the living room?", Intent("existence", (GRANDMA,), "living room")),
        ("Are they there?", Intent("existence", (GRANDMA,), "kitchen")),
    ],
)
def test_a_pronoun_means_the_person_of_the_question_before(text: str, meant: Intent) -> None:
    assert ask(text, IN_THE_KITCHEN) == meant


def test_they_are_all_of_the_question_before() -> None:
    assert ask("Are they still there?", BOTH) == BOTH
    assert ask("What are they doing?", BOTH) == Intent("action", (GRANDMA, TOM), None)


@pytest.mark.parametrize("text", ["Is she there?", "Where is he?", "What is her shirt like?"])
def test_one_person_is_not_picked_from_two(text: str) -> None:
    with pytest.raises(UsageError, match="cannot tell who"):
        ask(text, BOTH)


@pytest.mark.parametrize("text", ["Is Tom with her?", "Is Tom wearing his hat?", "Are Tom and she there?"])
def test_beside_a_name_a_pronoun_is_not_guessed(text: str) -> None:
    with pytest.raises(UsageError, match="cannot tell who"):
        ask(text, IN_THE_KITCHEN)


@pytest.mark.parametrize(
    "before", [None, Intent("who", (), "kitchen"), Intent("existence", (GONE,), "kitchen")]
)
@given(st.sampled_from(sorted(PRONOUNS)))
def test_without_somebody_before_a_pronoun_means_nobody(before: Intent | None, pronoun: str) -> None:
    with pytest.raises(UsageError, match="cannot tell who"):
        ask(f"Is {pronoun} there?", before)


def test_there_is_the_room_of_before_only_beside_a_pronoun_and_only_while_that_room_is_known() -> None:
    assert ask("Is Tom there?", IN_THE_KITCHEN) == Intent("existence", (TOM,), None)
    assert ask("Who is there?", IN_THE_KITCHEN) == Intent("who", (), None)
    assert ask("Is she there?", Intent("existence", (GRANDMA,), "attic")).room is None


def test_a_room_of_hers_is_no_room_that_is_known() -> None:
    with pytest.raises(UsageError, match="room"):
        ask("Is she in her room?", IN_THE_KITCHEN)
