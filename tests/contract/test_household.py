"""Claims about who can be enrolled and how they are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.errors import UsageError
from runtime.contract.household import MAX_NAME_CHARS, Household, Subject, check_name, fold

ANN, BEN = "s" + "a" * 32, "s" + "b" * 32
names = st.lists(st.text("abcxyzäöüßéñçø-", min_size=1, max_size=9), min_size=1, max_size=4).map(" ".join)


@given(names)
def test_a_subject_answers_to_the_name_in_any_case_and_spacing(name: str) -> None:
    subject = Subject(ANN, name)
    assert subject.answers_to(name.upper()) and subject.answers_to(name.title())
    assert subject.answers_to(f"  {name.replace(' ', '  ')}\t")
    assert not subject.answers_to(f"{name}q")


@given(st.text())
def test_folding_twice_is_folding_once(word: str) -> None:
    assert fold(fold(word)) == fold(word)


def test_an_alias_finds_the_same_person() -> None:
    grandma, tom = Subject(ANN, "Grandma", ("mum", "Oma Anna")), Subject(BEN, "Tom")
    home = Household("home", (grandma, tom))
    assert home.named("oma  ANNA") is grandma
    assert home.named("TOM") is tom
    assert home.named("Tomas") is None


def test_of_two_people_who_answer_to_a_word_the_first_enrolled_is_meant() -> None:
    first, second = Subject(ANN, "Tom"), Subject(BEN, "tom")
    assert Household("home", (first, second)).named("TOM") is first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José", "Jose\u0301"),
        ("O'Brien", "O’Brien"),
        ("Ａｎｎ", "ann"),
        ("Straße", "STRASSE"),
        ("A\u00a0B", "a b"),
    ],
)
def test_two_ways_to_type_one_name_are_one_name(one: str, other: str) -> None:
    assert Subject(ANN, one).answers_to(other) and Subject(ANN, other).answers_to(one)


@pytest.mark.parametrize(
    "name",
    [
        "", "   ", "a\nb", "a\x00b", "\t", "x" * (MAX_NAME_CHARS + 1), "a\x7fb", "a\x1b[2Jb", "a\x85b",
        "a\u2028b", "\u200b", "\u0301", "\udce9", "a\u202eb",
    ],
)  # fmt: skip
def test_a_name_that_is_blank_too_long_or_holds_control_characters_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="Choose another name"):
        check_name(name)
    with pytest.raises(UsageError):
        Subject(ANN, "Ann", (name,))


def test_a_name_of_full_length_in_any_script_is_taken() -> None:
    assert check_name("祖" * MAX_NAME_CHARS) == "祖" * MAX_NAME_CHARS


@pytest.mark.parametrize(
    "subject_id", ["", "a" * 33, "s" + "A" * 32, "s" + "a" * 31, "s" + "g" * 32, "../" + "a" * 30, ANN + "\n"]
)
def test_an_id_that_is_not_s_and_32_hex_digits_is_refused(subject_id: str) -> None:
    with pytest.raises(UsageError, match="32 hex digits"):
        Subject(subject_id, "Ann")
