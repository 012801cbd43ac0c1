"""The demo's pure parts: story, truth, score, table; and tampering with real files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tomllib

from runtime.contract.errors import UpdateError
from runtime.contract.household import Household, Subject
from runtime.questions import parse
from train.augment.questions import slots_in
from train.demo.asking import pictures_of
from train.demo.casting import tellable
from train.demo.children import last_object
from train.demo.home import settings
from train.demo.render import world_key
from train.demo.score import (
    Asked,
    Mark,
    TimesInside,
    Updates,
    median_ms,
    score,
    shortcomings,
    summarise,
    times_inside,
)
from train.demo.story import ROOM_NAMES, Question, Story, build_story
from train.demo.table import closing, releases, row, said, versions_table
from train.demo.truth import Truth, truth_of
from train.demo.updates import flip_adapter, flip_signature, tampered
from train.world.script import Script

IDS = {"grandma": "s1", "tom": "s2", "mia": "s3"}
PERSONS = {subject: person for person, subject in IDS.items()}
JPEG = cv2.imencode(".jpg", np.zeros((8, 8, 3), dtype=np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def story() -> Story:
    return build_story(7)


def questions_with_scripts(story: Story) -> list[tuple[Question, tuple[Script, ...]]]:
    live = [(question, scene) for scene in story.scenes for question in scene.questions]
    last = story.scenes[-1]
    extra = [*story.clip_questions, story.update_question, story.update_clip_question]
    return [(q, story.shown(q, scene)) for q, scene in [*live, *((q, last) for q in extra)]]


def truths(story: Story) -> dict[tuple[str, str], Truth]:
    found = {}
    for scene in story.scenes:
        for question in scene.questions:
            truth = truth_of(question, story.shown(question, scene), story.names)
            found[scene.name.split(":")[0], question.text] = truth
    return found


def answer(verdict: str | None, yes: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    subjects = [{"subject_id": IDS.get(one, one), "verdict": "yes", "confidence": 0.97} for one in yes]
    base: dict[str, Any] = {"kind": "verdict", "text": "So.", "verdict": verdict, "confidence": 0.97}
    return {**base, "subjects": subjects, "unknown_people": 0, "evidence": [], "reason": "", **more}


def existence(who: str = "grandma", topic: Any = "present") -> Question:
    return Question(f"Is {who} here?", topic, "existence", (who,))


HERE = Truth("yes", frozenset({"grandma"}), 0, "yes: Grandma there")
LOOK_ALIKE = Truth("no", frozenset(), 1, "no: somebody unknown there")


def asked(
    right: bool = True,
    fooled: bool = False,
    text: str = "Is Grandma here?",
    reply: Mapping[str, Any] | None = None,
) -> Asked:
    question = Question(text, "present", "existence", ("grandma",))
    mark = Mark(right, fooled, fooled)
    return Asked("Morning", question, reply or answer("yes", ("grandma",)), HERE, mark, 800.0, (JPEG,))


def test_the_story_asks_at_least_sixteen_questions_of_every_topic_the_demo_promises(story: Story) -> None:
    asked_now = [question for question, _ in questions_with_scripts(story)]
    assert len(asked_now) >= 16
    wanted = {
        "present", "absent", "look-alike", "stranger", "appearance", "action", "location", "two people",
        "who", "clip", "update",
    }  # fmt: skip
    assert wanted <= {question.topic for question in asked_now}


def test_the_product_understands_every_question_as_it_is_meant(story: Story) -> None:
    ids = {member.person_id: f"s{index:032x}" for index, member in enumerate(story.world.members, start=1)}
    subjects = tuple(Subject(ids[member.person_id], member.name) for member in story.world.members)
    for question, _ in questions_with_scripts(story):
        rooms = () if question.clip else tuple(ROOM_NAMES.values())
        intent = parse(question.text, Household("h", subjects), rooms)
        room = ROOM_NAMES[question.room] if question.room else None
        people = tuple(ids[person] for person in question.people)
        assert (intent.kind, intent.subject_ids, intent.room) == (question.kind, people, room), question.text


def test_everything_that_is_asked_can_be_seen_and_the_cameras_never_move(story: Story) -> None:
    assert all(tellable(script, story.world) for scene in story.scenes for script in scene.cameras.values())
    cameras = {script.camera for scene in story.scenes for script in scene.cameras.values()}
    assert len(cameras) == 1
    for room in ROOM_NAMES:
        assert len({scene.cameras[room].room for scene in story.scenes}) == 1


def test_the_same_seed_tells_the_same_story_and_another_seed_another(story: Story) -> None:
    assert world_key(build_story(7)) == world_key(story)
    assert world_key(build_story(8)) != world_key(story)


def test_truth_comes_from_who_is_in_the_scripts(story: Story) -> None:
    found = truths(story)
    grandma = found["Morning", "Is Grandma in the kitchen?"]
    assert (grandma.verdict, grandma.here, grandma.others) == ("yes", frozenset({"grandma"}), 0)
    assert found["Morning", "Is Tom in the kitchen?"].verdict == "no"
    assert found["Morning", "Are Tom and Mia in the living room?"].verdict == "yes"
    assert found["Morning", "Are Grandma and Tom in the kitchen?"].verdict == "no"
    assert found["Visitors", "Is Grandma home?"].verdict == "no"
    assert found["Visitors", "Is Grandma home?"].others == 2
    assert found["Visitors", "Is there a stranger in the living room?"].verdict == "yes"
    assert found["Evening", "Is Mia in the kitchen?"].text == "no: nobody there"


def test_the_words_of_a_described_truth_claim_exactly_its_slots(story: Story) -> None:
    described = [truth for truth in truths(story).values() if truth.slots]
    assert len(described) >= 5
    for truth in described:
        text = truth.text if truth.text.startswith("the ") else f"Grandma is wearing {truth.text}."
        assert slots_in(text) == dict(truth.slots)


@pytest.mark.parametrize(("said_verdict", "right"), [("yes", True), ("no", False), ("unsure", False)])
def test_a_yes_or_no_question_needs_the_same_verdict(said_verdict: str, right: bool) -> None:
    claimed = ("grandma",) if said_verdict == "yes" else ()
    assert score(existence(), HERE, answer(said_verdict, claimed), PERSONS) == Mark(right, False, False)


def test_a_yes_about_a_look_alike_is_wrong_false_and_fooled() -> None:
    mark = score(existence(topic="look-alike"), LOOK_ALIKE, answer("yes", ("grandma",)), PERSONS)
    assert mark == Mark(right=False, false_yes=True, fooled=True)


def test_a_yes_about_somebody_absent_is_found_inside_an_answer_that_says_no() -> None:
    question = Question("Are both here?", "two people", "existence", ("grandma", "tom"))
    truth = Truth("no", frozenset({"grandma"}), 0, "no: Grandma there")
    assert score(question, truth, answer("no", ("grandma",)), PERSONS) == Mark(True, False, False)
    assert score(question, truth, answer("no", ("tom",)), PERSONS) == Mark(True, True, False)


def test_a_yes_about_a_subject_that_nobody_enrolled_is_a_false_yes() -> None:
    assert score(existence(), HERE, answer("yes", ("grandma", "s9")), PERSONS).false_yes


def test_an_error_is_wrong_but_says_yes_to_nobody() -> None:
    reply = {"error": {"code": "unavailable", "message": "No daemon.", "next_step": "Start it."}}
    assert score(existence(), HERE, reply, PERSONS) == Mark(False, False, False)


def test_a_description_must_name_every_slot() -> None:
    question = Question("What is Grandma wearing?", "appearance", "appearance", ("grandma",))
    slots = {"top_color": "red", "top_kind": "sweater", "bottom_color": "blue", "bottom_kind": "trousers"}
    truth = Truth(None, frozenset({"grandma"}), 0, "a red sweater and blue trousers", slots)

    def right(text: str, kind: str = "description") -> bool:
        return score(question, truth, answer("yes", ("grandma",), kind=kind, text=text), PERSONS).right

    assert right("Grandma is wearing a red sweater and blue trousers.")
    assert not right("Grandma is wearing a red sweater and green trousers.")
    assert not right("Grandma is wearing a red sweater.")
    assert not right("Grandma is wearing a red sweater and blue trousers.", kind="refusal")


def test_who_needs_the_members_nobody_else_and_the_unknown() -> None:
    question = Question("Who is here?", "who", "who")
    truth = Truth(None, frozenset({"tom", "mia"}), 1, "Tom and Mia and somebody unknown there")

    def mark(yes: tuple[str, ...], unknown: int) -> Mark:
        return score(question, truth, answer(None, yes, kind="people", unknown_people=unknown), PERSONS)

    assert mark(("tom", "mia"), 1) == Mark(True, False, False)
    assert not mark(("tom",), 1).right
    assert not mark(("tom", "mia"), 0).right
    assert mark(("tom", "mia", "grandma"), 1) == Mark(False, True, True)


def test_a_stranger_seen_in_an_empty_room_is_a_false_yes() -> None:
    question = Question("Is a stranger here?", "stranger", "stranger")
    empty = Truth("no", frozenset(), 0, "no: nobody there")
    assert score(question, empty, answer("yes"), PERSONS) == Mark(False, True, False)
    assert score(question, LOOK_ALIKE, answer("yes"), PERSONS).false_yes is False


def test_the_last_line_has_exactly_the_promised_fields() -> None:
    summary = summarise([asked(), asked(right=False)], Updates(1, 2), 12.34)
    assert summary == {
        "asked": 2, "correct": 1, "false_yes": 0, "ask_ms_p50": 800.0, "first_ms": None,
        "followup_ms": None, "described_ms": None, "ota_applied": 1, "ota_refused": 2, "seconds": 12.3,
    }  # fmt: skip
    assert json.loads(json.dumps(summary)) == summary


def test_first_questions_the_next_ones_and_descriptions_are_timed_apart() -> None:
    def took(ms: float, scene: str, clip: str | None = None, kind: str = "verdict") -> Asked:
        one = asked(reply=answer("yes", kind=kind, timings_ms={"daemon_total": ms}))
        return replace(one, scene=scene, question=replace(one.question, clip=clip))

    live = [took(90.0, "Morning"), took(20.0, "Morning"), took(110.0, "Evening"), took(30.0, "Evening")]
    described = [took(80.0, "Noon", kind="description"), took(10.0, "Noon")]
    answers = [took(500.0, "Morning", clip="a video"), asked(reply={"error": {}}), *live, *described]
    assert times_inside(answers) == TimesInside((90.0, 110.0), (20.0, 30.0, 10.0), (80.0,))
    summary = summarise(answers, Updates(1, 1), 1.0)
    assert (summary["first_ms"], summary["followup_ms"], summary["described_ms"]) == (100.0, 20.0, 80.0)
    assert "100 ms for the first question about a scene, 20 ms" in closing(summary, [], "page.html")
    assert "the box itself" not in closing(summarise([asked()], Updates(1, 1), 1.0), [], "page.html")


def test_the_median_of_nothing_is_nothing() -> None:
    assert median_ms([]) is None
    assert median_ms([3.0, 1.0, 2.04]) == 2.0


@pytest.mark.parametrize(
    ("right", "wrong", "passes"), [(10, 2, True), (9, 3, False), (15, 3, True), (14, 4, False)]
)
def test_ten_of_twelve_must_be_right(right: int, wrong: int, passes: bool) -> None:
    answers = [asked() for _ in range(right)] + [asked(right=False) for _ in range(wrong)]
    assert (shortcomings(answers, Updates(1, 1)) == []) is passes


def test_one_fooled_answer_too_few_questions_or_no_update_fail_the_demo() -> None:
    good = [asked() for _ in range(12)]
    assert shortcomings(good, Updates(1, 1)) == []
    assert "look-alike" in shortcomings([*good, asked(fooled=True)], Updates(1, 1))[0]
    assert len(shortcomings(good[:11], Updates(0, 0))) == 3


def test_a_row_holds_question_verdict_confidence_truth_time_and_answer() -> None:
    text = row(3, asked(right=False))
    for part in ("✗", " 3 ", "Is Grandma here?", "yes", "0.97", "0.8 s", "truth: yes: Grandma there", "So."):
        assert part in text


def test_an_unsure_answer_is_shown_with_its_reason_and_an_error_with_its_next_step() -> None:
    assert said(answer("unsure", reason="Too dark.")) == "So. Too dark."
    assert said({"error": {"message": "No daemon.", "next_step": "Start it."}}) == "No daemon. Start it."
    assert len(said(answer("yes", text="x" * 500))) == 100


def test_versions_are_a_column_a_stage() -> None:
    record = {"release": 1, "state": "active", "kind": "instant"}
    found = releases({"subjects": [{"name": "Grandma", "adapters": [record]}]})
    assert found == {"Grandma": "1 active (instant)"}
    lines = versions_table([("enrolled", found), ("after", {"Grandma": "1", "Tom": "2"})]).splitlines()
    assert [line.split() for line in lines] == [
        ["enrolled", "after"], ["Grandma", "1", "active", "(instant)", "1"], ["Tom", "-", "2"],
    ]  # fmt: skip


def test_the_end_names_every_problem() -> None:
    summary = summarise([asked()], Updates(1, 1), 5.0)
    assert "FAILED: It rained." in closing(summary, ["It rained."], "page.html")
    assert "FAILED" not in closing(summary, [], "page.html")


def test_settings_are_toml_with_a_replay_camera_in_each_room() -> None:
    found = tomllib.loads(settings({room: Path(f'/a "b"/{room}.mp4') for room in ROOM_NAMES}))
    assert found["rooms"] == ["kitchen", "living room"]
    assert [one["kind"] for one in found["cameras"]] == ["replay", "replay"]
    assert found["cameras"][1]["path"] == '/a "b"/living_room.mp4'


def test_pictures_are_read_once_each_and_missing_ones_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    paths = [str(tmp_path / "a.jpg"), str(tmp_path / "a.jpg"), "", str(tmp_path / "gone.jpg")]
    assert pictures_of(answer("yes", evidence=[{"image": path} for path in paths])) == (JPEG,)
    assert pictures_of({"error": {}}) == ()


def test_only_an_object_on_the_last_line_is_a_reply() -> None:
    assert last_object('progress\n{"a": 1}\n') == {"a": 1}
    assert last_object("") is None
    assert last_object('{"a": 1}\nmore') is None
    assert last_object("[1]") is None


def repository(folder: Path) -> Path:
    root = folder / "repository"
    (root / "targets" / "h").mkdir(parents=True)
    (root / "metadata").mkdir()
    (root / "targets" / "h" / "1.pvadapter").write_bytes(bytes(100))
    stamp = {"signatures": [{"keyid": "k", "sig": "0a1b"}], "signed": {}}
    (root / "metadata" / "timestamp.json").write_text(json.dumps(stamp), encoding="utf-8")
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("damage", [flip_adapter, flip_signature])
def test_tampering_changes_one_byte_of_a_copy_and_the_original_comes_back(
    tmp_path: Path, damage: Any
) -> None:
    root = repository(tmp_path)
    before = contents(root)
    with tampered(root, damage):
        changed = contents(root)
    assert contents(root) == before
    assert changed.keys() == before.keys()
    apart = [(a, b) for name in before for a, b in zip(before[name], changed[name], strict=True) if a != b]
    assert len(apart) == 1


def test_the_original_comes_back_when_there_is_nothing_to_tamper_with(tmp_path: Path) -> None:
    root = repository(tmp_path)
    (root / "targets" / "h" / "1.pvadapter").unlink()
    with pytest.raises(UpdateError, match="no adapter"), tampered(root, flip_adapter):
        pass
    assert root.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]
