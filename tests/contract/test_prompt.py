"""Claims about the prompt: one prefix for all questions, and no name ever in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.prompt import (
    BOS_ID,
    CANONICAL_QUESTIONS,
    EOS_ID,
    INST_CLOSE,
    MAX_SUBJECTS,
    PAD_ID,
    SLOTS,
    SPECIAL_TOKENS,
    UNK_ID,
    BlockPiece,
    TextPiece,
    build_prompt,
    canonical_question,
    with_names,
)

subjects = st.integers(0, MAX_SUBJECTS)
questions = st.text(max_size=40)


@given(subjects, questions, questions)
def test_everything_before_the_question_is_the_same_for_all_questions(
    count: int, first: str, second: str
) -> None:
    *prefix, last = build_prompt(count, first)
    *same, other = build_prompt(count, second)
    assert prefix == same
    assert last == TextPiece(first + INST_CLOSE) and other == TextPiece(second + INST_CLOSE)


@given(st.integers(0, MAX_SUBJECTS - 1), questions)
def test_one_more_subject_leaves_the_pieces_of_the_others_as_they_were(count: int, question: str) -> None:
    fewer, more = build_prompt(count, question)[:-1], build_prompt(count + 1, question)[:-1]
    assert more[: len(fewer)] == fewer


@given(subjects)
def test_every_subject_brings_token_soft_tokens_and_rows_once(count: int) -> None:
    blocks = [piece for piece in build_prompt(count, "q") if isinstance(piece, BlockPiece)]
    assert blocks[0] == BlockPiece("video")
    assert blocks[1:] == [
        BlockPiece(kind, index) for index in range(count) for kind in ("token", "soft", "rows")
    ]


@pytest.mark.parametrize("kind", sorted(CANONICAL_QUESTIONS))
def test_the_canonical_question_names_slots_in_the_order_of_the_question(kind: str) -> None:
    question = canonical_question(kind, [2, 0])  # type: ignore[arg-type]
    assert re.findall(r"<p\d>", question) == ["<p3>", "<p1>"]
    assert "{" not in question


def test_special_tokens_are_all_different_and_start_with_the_fixed_ids() -> None:
    assert len(set(SPECIAL_TOKENS)) == len(SPECIAL_TOKENS)
    fixed = [SPECIAL_TOKENS[index] for index in (PAD_ID, UNK_ID, BOS_ID, EOS_ID)]
    assert fixed == ["<pad>", "<unk>", "<s>", "</s>"]
    assert len(SLOTS) == MAX_SUBJECTS


def test_names_are_put_in_after_decoding_and_the_sentence_is_tidied() -> None:
    said = "<p2>  is with <p1> , in the kitchen ."
    assert with_names(said, {0: "Grandma", 1: "Tom"}) == "Tom is with Grandma, in the kitchen."


def test_a_slot_without_a_name_stays_visible() -> None:
    assert with_names("<p3> is here .", {0: "Grandma"}) == "<p3> is here."


@given(st.text(st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=20), st.integers(0, 7))
def test_no_slot_token_is_left_where_its_name_is_known(name: str, slot: int) -> None:
    said = with_names(f"i see {SLOTS[slot]} and {SLOTS[slot]} .", dict.fromkeys(range(8), name))
    assert said == f"I see {name} and {name}."
