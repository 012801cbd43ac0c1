"""The bank of questions and answers: its size, its style, held-out wordings, and true answers."""

import dataclasses
import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.contract.dialogue import Kind
from runtime.contract.errors import PvchatError, UsageError
from runtime.contract.household import Household, Subject
from runtime.contract.prompt import SLOTS, canonical_question, with_names
from runtime.questions import parse
from train.augment import questions as bank
from train.augment.bank_words import ACTION_PHRASES, BOTTOM_PHRASES, COLOURS, TOP_PHRASES, garment
from train.augment.questions import (
    BANK,
    DESCRIBED,
    Fact,
    corpus,
    facts_from_script,
    make_qa,
    pick_enrolled,
    questions_for,
    slots_in,
)
from train.world.household import identity_at
from train.world.palette import BOTTOM_COLOURS, CLOTH
from train.world.pose import ACTIONS
from train.world.sample import sample_script
from train.world.script import BOTTOM_KINDS, ROOM_KINDS, ROOM_PHRASES, TOP_KINDS
from train.world.sight import sights
from train.world.traits import Split

SPLITS: tuple[Split, ...] = ("train", "test")
STYLE = re.compile(r"([a-z]+(-[a-z]+)*|<p[1-8]>|[.,?:])( ([a-z]+(-[a-z]+)*|<p[1-8]>|[.,?:]))*")


def a_fact(slot: int, present: bool = True) -> Fact:
    if not present:
        return Fact(slot, False)
    return Fact(slot, True, "drinking", "living_room", "orange", "striped", "blue", "trousers")


@st.composite
def facts(draw: st.DrawFn) -> list[Fact]:
    made = []
    for slot in range(draw(st.integers(1, 3))):
        if not draw(st.booleans()):
            made.append(Fact(slot, False))
            continue
        made.append(
            Fact(
                slot,
                True,
                draw(st.none() | st.sampled_from(sorted(ACTIONS))),
                draw(st.none() | st.sampled_from(ROOM_KINDS)),
                draw(st.none() | st.sampled_from(sorted(CLOTH))),
                draw(st.sampled_from(TOP_KINDS)),
                draw(st.none() | st.sampled_from(BOTTOM_COLOURS)),
                draw(st.sampled_from(BOTTOM_KINDS)),
            )
        )
    return made


def test_the_bank_has_at_least_the_size_of_the_paper_before_anything_is_held_out() -> None:
    size = {key: len(set(bank.wordings(key, "train"))) for key in BANK}
    assert all(size[key] >= 25 for key in size if key.startswith("existence."))
    questions = [size[f"{kind}.question"] for kind in DESCRIBED]
    assert sum(questions) >= 16
    assert min(questions) >= 5
    assert all(size[f"{kind}.refusal"] >= 15 for kind in DESCRIBED)
    assert all(size[f"{kind}.answer"] >= 15 for kind in DESCRIBED)


@pytest.mark.parametrize("presence", [*product((True, False), repeat=2), *product((True, False), repeat=3)])
def test_every_combination_of_two_or_three_people_has_25_distinct_answers(presence: tuple[bool, ...]) -> None:
    rng = np.random.default_rng(1)
    asked = [a_fact(slot, present) for slot, present in enumerate(presence)]
    slots = range(len(presence))
    answers = {make_qa(rng, asked, "existence", slots).answer for _ in range(600)}
    assert len(answers) >= 25
    assert {answer.split()[0] for answer in answers} == {"yes" if all(presence) else "no"}
    assert all(set(SLOTS[: len(presence)]) == set(re.findall(r"<p\d>", answer)) for answer in answers)


@pytest.mark.parametrize("presence", [(True, False), (False, True)])
def test_who_of_two_is_there_is_told_the_right_way_round(presence: tuple[bool, bool]) -> None:
    asked = [a_fact(slot, present) for slot, present in enumerate(presence)]
    here, gone = (SLOTS[presence.index(True)], SLOTS[presence.index(False)])
    said = {make_qa(np.random.default_rng(i), asked, "existence", (0, 1)).answer for i in range(200)}
    assert f"no , {here} is in this video , but {gone} is not ." in said
    assert f"no , {gone} is in this video , but {here} is not ." not in said


def test_no_wording_of_the_test_split_is_ever_trained() -> None:
    trained = {text for key in BANK for text in bank.wordings(key, "train")}
    held_out = {text for key in BANK for text in bank.wordings(key, "test")}
    assert not trained & held_out
    assert len(trained) + len(held_out) == len({text for texts in BANK.values() for text in texts})
    canonical = {
        canonical_question(kind, (0,)).replace(SLOTS[0], "{a}") for kind in ("existence", *DESCRIBED)
    }
    assert not canonical & held_out


def test_held_out_wordings_hold_no_word_that_training_has_never_seen() -> None:
    seen, held_out = (
        {word for key in BANK for text in bank.wordings(key, split) for word in text.split()}
        for split in SPLITS
    )
    assert held_out <= seen


@settings(max_examples=200, deadline=None)
@given(facts(), st.integers(0, 2**32), st.sampled_from(SPLITS))
def test_every_answer_says_exactly_what_its_target_says(known: list[Fact], seed: int, split: Split) -> None:
    for qa in questions_for(known, np.random.default_rng(seed), count=6, split=split):
        assert slots_in(qa.answer) == qa.target
        assert STYLE.fullmatch(qa.question)
        assert STYLE.fullmatch(qa.answer)
        assert set(qa.answer.split()) | set(qa.question.split()) <= set(bank.words())


@settings(max_examples=100, deadline=None)
@given(facts(), st.integers(0, 2**32))
def test_the_target_is_the_truth(known: list[Fact], seed: int) -> None:
    by_slot = {fact.slot: fact for fact in known}
    for qa in questions_for(known, np.random.default_rng(seed), count=6):
        asked = [by_slot[slot] for slot in qa.slots]
        if qa.kind == "existence":
            assert qa.target == {"verdict": "yes" if all(fact.present for fact in asked) else "no"}
        elif "refused" not in qa.target:
            truth = asked[0]
            assert truth.present
            assert qa.target == {name: getattr(truth, name) for name in qa.target}


def test_every_value_of_the_world_has_words_and_no_two_share_them() -> None:
    for table, values in (
        (ACTION_PHRASES, ACTIONS),
        (ROOM_PHRASES, ROOM_KINDS),
        (TOP_PHRASES, TOP_KINDS),
        (BOTTOM_PHRASES, BOTTOM_KINDS),
    ):
        assert set(values) <= set(table)
        assert len(set(table.values())) == len(table)
    assert {*CLOTH, *BOTTOM_COLOURS} <= set(COLOURS)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_is_read_back_from_every_wording(action: str) -> None:
    for key in ("train", "test"):
        for text in bank.wordings("action.answer", key):
            assert slots_in(text.format(a="<p1>", action=ACTION_PHRASES[action])) == {"action": action}


@pytest.mark.parametrize(("colour", "kind"), list(product(sorted(CLOTH), TOP_KINDS)))
def test_every_garment_is_read_back_from_every_wording(colour: str, kind: str) -> None:
    target = {"top_color": colour, "top_kind": kind, "bottom_color": "blue", "bottom_kind": "skirt"}
    for text in BANK["appearance.answer"]:
        said = text.format(a="<p1>", a_top=garment(colour, kind, TOP_PHRASES), a_bottom="a blue skirt")
        assert slots_in(said) == target


def test_a_sentence_is_read_back_after_names_were_put_in() -> None:
    shown = with_names("<p1> is wearing an orange striped top and blue trousers .", {0: "Grandma"})
    assert slots_in(shown) == {
        "top_color": "orange", "top_kind": "striped", "bottom_color": "blue", "bottom_kind": "trousers",
    }  # fmt: skip
    assert slots_in("Grandma is sitting down.") == {"action": "sitting_down"}
    assert slots_in("hm") == {}


def test_what_cannot_be_seen_is_not_described() -> None:
    rng = np.random.default_rng(0)
    at_night = [dataclasses.replace(a_fact(0), top_color=None, bottom_color=None)]
    assert make_qa(rng, at_night, "appearance", (0,)).target == {"refused": "yes"}
    legs_hidden = [dataclasses.replace(a_fact(0), bottom_color=None)]
    assert make_qa(rng, legs_hidden, "appearance", (0,)).target == {
        "top_color": "orange",
        "top_kind": "striped",
    }


def test_facts_are_what_the_script_says_and_no_more_than_is_in_view() -> None:
    rng = np.random.default_rng(2)
    people = [identity_at("train", index) for index in range(2)]
    script = sample_script(rng, people=people, person_ids=["a", "b"], night=False, hidden=False)
    absent, first = facts_from_script(script, ["nobody", "a"])
    worn = script.people[0].clothes
    assert absent == Fact(0, False)
    assert first == Fact(
        1, True, script.people[0].action, script.room.kind,
        worn.top_colour, worn.top_kind, worn.bottom_colour, worn.bottom_kind,
    )  # fmt: skip
    in_view = sights(script)
    assert facts_from_script(script, ["a"], seen=in_view, enough_share=0.0)[0].action == first.action
    out_of_view = {"a": dataclasses.replace(in_view["a"], action_share=0.1, top_share=0.1, bottom_share=0.1)}
    assert facts_from_script(script, ["a"], seen=out_of_view) == (Fact(0, True, room=script.room.kind),)
    by_night = dataclasses.replace(script, light=dataclasses.replace(script.light, night=True))
    assert facts_from_script(by_night, ["a"])[0].top_color is None


def test_a_list_for_a_clip_is_balanced() -> None:
    rng = np.random.default_rng(3)
    known = [a_fact(0), a_fact(1, False), a_fact(2)]
    made = questions_for(known, rng, count=2000)
    verdicts = [qa.target["verdict"] for qa in made if qa.kind == "existence"]
    assert 0.45 < verdicts.count("yes") / len(verdicts) < 0.55
    assert 0.45 < len(verdicts) / len(made) < 0.55
    refused = [("refused" in qa.target) for qa in made if qa.kind != "existence"]
    assert 0.42 < sum(refused) / len(refused) < 0.58
    assert {len(qa.slots) for qa in made if qa.kind == "existence"} == {1, 2, 3}


def test_about_half_of_the_enrolled_are_absent() -> None:
    rng = np.random.default_rng(4)
    picked = [pick_enrolled(rng, ["a", "b", "c"], ["x", "y", "z"]) for _ in range(600)]
    everybody = [person for people in picked for person in people]
    assert {len(people) for people in picked} == {1, 2, 3}
    assert all(len(set(people)) == len(people) for people in picked)
    assert 0.45 < sum(person in "abc" for person in everybody) / len(everybody) < 0.55
    assert set(pick_enrolled(rng, [], ["x"])) == {"x"}


def test_the_corpus_is_as_long_as_asked_holds_every_trained_wording_and_repeats_itself() -> None:
    texts = list(corpus(np.random.default_rng(5), 1500))
    assert len(texts) == 1500
    assert texts == list(corpus(np.random.default_rng(5), 1500))
    assert {word for text in texts for word in text.split()} >= set(bank.words()) - set(SLOTS[3:])
    assert list(corpus(np.random.default_rng(5), 3)) == texts[:3]


@pytest.mark.parametrize(
    ("kind", "slots"),
    [("who", (0,)), ("existence", ()), ("existence", (0, 0)), ("action", (0, 1)), ("action", (7,))],
)
def test_a_question_that_cannot_be_made_is_a_usage_error(kind: Kind, slots: tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        make_qa(np.random.default_rng(0), [a_fact(0), a_fact(1)], kind, slots)


def test_a_value_without_words_is_a_usage_error() -> None:
    strange = [dataclasses.replace(a_fact(0), action="juggling", top_color="mauve")]
    for kind in ("action", "appearance"):
        with pytest.raises(UsageError, match="no words for"):
            make_qa(np.random.default_rng(0), strange, kind, (0,))


def test_the_runtime_understands_at_least_nine_in_ten_of_the_trained_questions() -> None:
    people = tuple(Subject(f"s{i:032x}", name) for i, name in enumerate(("Grandma", "Tom", "Mia")))
    understood = 0
    total = 0
    for key in (key for key in BANK if key.endswith("question")):
        for text in BANK[key]:
            said = with_names(
                text.format(a=SLOTS[0], b=SLOTS[1], c=SLOTS[2]), {0: "Grandma", 1: "Tom", 2: "Mia"}
            )
            total += 1
            try:
                intent = parse(said, Household("h1", people), ())
            except PvchatError:
                continue
            understood += intent.kind == key.split(".")[0] and len(intent.subject_ids) == text.count("{")
    assert understood >= 0.9 * total
