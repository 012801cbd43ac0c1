"""Claims about the truth contract: how answers about single cameras become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from device.daemon.combine import combine
from device.daemon.coverage import CameraAnswer, Thresholds
from device.daemon.joining import join, split
from runtime.contract.dialogue import (
    Answer,
    CameraReport,
    CameraState,
    Evidence,
    Intent,
    Kind,
    SubjectVerdict,
    Verdict,
    exit_code,
)

NOW = 1_000_000.0
ANNA, BEN = "s" + "a" * 32, "s" + "b" * 32
NAMES = {ANNA: "Anna", BEN: "Ben"}
ROOMS = ("kitchen", "hall")
CAMERAS = {"k1": "kitchen", "k2": "kitchen", "h1": "hall"}
LIMITS = Thresholds(accept=0.9, max_frame_age_ms=5000)
KITCHEN = Intent("existence", (ANNA,), "kitchen")


def said(
    camera: str, verdicts: Mapping[str, tuple[Verdict, float | None]], **changes: object
) -> CameraAnswer:
    """What the runtime said half a second ago."""
    answer = Answer(
        "verdict",
        f"text of {camera}",
        next(iter(verdicts.values()))[0] if verdicts else None,
        0.5,
        0.9,
        as_of=NOW - 0.5,
        frame_age_ms=500.0,
        subjects=tuple(SubjectVerdict(who, verdict, known) for who, (verdict, known) in verdicts.items()),
        evidence=(Evidence(camera, NOW - 0.5, (0, 0, 1, 1), "0" * 64, next(iter(verdicts), None)),),
        base="base",
        adapters=dict.fromkeys(verdicts, 2),
    )
    return CameraAnswer(camera, replace(answer, **changes))  # type: ignore[arg-type]


def anna(camera: str, verdict: Verdict, confidence: float | None = 0.5, **changes: object) -> CameraAnswer:
    """What the runtime said about Anna."""
    return said(camera, {ANNA: (verdict, confidence)}, **changes)


def reports(**states: CameraState) -> list[CameraReport]:
    """All three cameras; live with a frame of 200 ms unless another state is given."""
    return [CameraReport(name, room, states.get(name, "live"), 200.0) for name, room in CAMERAS.items()]


def together(
    intent: Intent, answers: list[CameraAnswer], cameras: list[CameraReport] | None = None, **kwargs: object
) -> Answer:
    """`combine` in this home."""
    rooms = kwargs.get("rooms", ROOMS)
    assert isinstance(rooms, tuple)
    return combine(
        intent, answers, reports() if cameras is None else cameras, LIMITS, rooms, names=NAMES, now=NOW
    )


TABLE: list[tuple[Verdict, CameraState, Verdict, CameraState, Verdict]] = [
    # k1 says,  state,   k2 says,  state,     together
    ("yes", "live", "no", "live", "yes"),
    ("no", "live", "yes", "live", "yes"),
    ("yes", "live", "unsure", "live", "yes"),
    ("yes", "live", "no", "down", "yes"),
    ("no", "live", "no", "live", "no"),
    ("no", "live", "unsure", "live", "unsure"),
    ("unsure", "live", "unsure", "live", "unsure"),
    ("no", "live", "no", "stale", "unsure"),
    ("no", "live", "yes", "stale", "unsure"),
    ("no", "live", "no", "frozen", "unsure"),
    ("no", "live", "no", "covered", "unsure"),
    ("no", "live", "no", "down", "unsure"),
    ("no", "live", "no", "connecting", "unsure"),
    ("no", "live", "unavailable", "live", "unsure"),
    ("yes", "frozen", "yes", "covered", "unavailable"),
    ("no", "down", "no", "stale", "unavailable"),
    ("unavailable", "live", "unavailable", "live", "unavailable"),
]


@pytest.mark.parametrize(("first", "state", "second", "other", "expected"), TABLE)
def test_two_cameras_of_one_room_by_the_contract(
    first: Verdict, state: CameraState, second: Verdict, other: CameraState, expected: Verdict
) -> None:
    answer = together(KITCHEN, [anna("k1", first), anna("k2", second)], reports(k1=state, k2=other))
    assert (answer.kind, answer.verdict) == ("verdict", expected)
    assert [one.camera for one in answer.cameras] == ["k1", "k2"]
    assert bool(answer.reason) == (expected in ("unsure", "unavailable"))


def test_another_rooms_yes_is_not_this_rooms() -> None:
    answers = [anna("k1", "no"), anna("k2", "no"), anna("h1", "yes", 0.99)]
    answer = together(KITCHEN, answers)
    assert answer.verdict == "no"
    assert {one.camera for one in answer.evidence} == {"k1", "k2"}


@pytest.mark.parametrize("age_s", [5.1, 3600.0, -1.5])
def test_a_frame_that_is_too_old_or_from_the_future_proves_nothing(age_s: float) -> None:
    old = [anna("k1", "yes", 0.99, as_of=NOW - age_s), anna("k2", "no")]
    assert together(KITCHEN, old).verdict == "unsure"
    assert together(KITCHEN, [replace(one, camera=one.camera) for one in old[:1]]).verdict == "unavailable"


def test_an_answer_without_a_time_proves_nothing() -> None:
    assert together(KITCHEN, [anna("k1", "yes", 0.99, as_of=None)]).verdict == "unavailable"


def test_a_live_camera_whose_newest_frame_is_old_does_not_count() -> None:
    cameras = [replace(one, frame_age_ms=6000.0) for one in reports()]
    assert together(KITCHEN, [anna("k1", "yes"), anna("k2", "yes")], cameras).verdict == "unavailable"


def test_the_age_is_measured_when_the_answer_is_made() -> None:
    answer = together(KITCHEN, [anna("k1", "yes", 0.95, as_of=NOW - 2.0, frame_age_ms=100.0)])
    assert answer.as_of == NOW - 2.0
    assert answer.frame_age_ms == pytest.approx(2000.0)


def test_a_yes_stands_on_the_cameras_that_say_yes() -> None:
    answers = [anna("k1", "no", 0.01, as_of=NOW - 0.1), anna("k2", "yes", 0.96, as_of=NOW - 1.0)]
    answer = together(KITCHEN, answers)
    assert answer.confidence == 0.96
    assert answer.as_of == NOW - 1.0
    assert [one.camera for one in answer.evidence] == ["k2"]
    assert (answer.base, answer.adapters, answer.threshold) == ("base", {ANNA: 2}, 0.9)


def test_a_no_is_as_unsure_as_its_most_doubtful_camera() -> None:
    assert together(KITCHEN, [anna("k1", "no", 0.01), anna("k2", "no", 0.08)]).confidence == 0.08


def test_a_camera_without_an_answer_is_not_a_no_and_its_problem_is_told() -> None:
    answer = together(KITCHEN, [anna("k1", "no"), CameraAnswer("k2", None, "the deadline passed.")])
    assert answer.verdict == "unsure"
    assert "the deadline passed." in answer.reason


def test_a_live_camera_that_was_not_asked_is_not_a_no() -> None:
    assert together(KITCHEN, [anna("k1", "no")]).verdict == "unsure"


def test_a_camera_that_says_nothing_about_her_is_not_a_no() -> None:
    assert together(KITCHEN, [anna("k1", "no"), said("k2", {BEN: ("no", 0.01)})]).verdict == "unsure"


@pytest.mark.parametrize(
    ("of_anna", "of_ben", "expected", "text"),
    [
        ("yes", "yes", "yes", "Yes, Anna and Ben are in the hall."),
        ("yes", "no", "no", "No, Ben is not in the hall, but Anna is."),
        ("no", "no", "no", "No, Anna and Ben are not in the hall."),
        ("unsure", "no", "no", "No, Ben is not in the hall."),
        ("yes", "unsure", "unsure", "I am not sure whether Anna and Ben are in the hall."),
    ],
)
def test_two_people_are_both_there_or_not(
    of_anna: Verdict, of_ben: Verdict, expected: str, text: str
) -> None:
    both = Intent("existence", (ANNA, BEN), "hall")
    answer = together(both, [said("h1", {ANNA: (of_anna, 0.9), BEN: (of_ben, 0.4)})])
    assert (answer.verdict, answer.text) == (expected, text)
    assert [one.verdict for one in answer.subjects] == [of_anna, of_ben]
    assert answer.confidence == 0.4


def test_two_people_may_be_seen_by_different_cameras() -> None:
    both = Intent("existence", (ANNA, BEN), "kitchen")
    answers = [
        said("k1", {ANNA: ("yes", 0.95), BEN: ("no", 0.01)}),
        said("k2", {ANNA: ("no", 0.01), BEN: ("yes", 0.92)}),
    ]
    answer = together(both, answers)
    assert (answer.verdict, answer.confidence) == ("yes", 0.92)
    assert {one.camera for one in answer.evidence} == {"k1", "k2"}


def test_here_means_every_room_and_names_where() -> None:
    anywhere = Intent("existence", (ANNA,))
    answers = [anna("k1", "no"), anna("k2", "no"), anna("h1", "yes", 0.97)]
    assert together(anywhere, answers).text == "Yes, Anna is in the hall."
    answers[2] = anna("h1", "no")
    assert together(anywhere, answers).text == "No, Anna is not here."
    unseen = together(anywhere, answers, rooms=(*ROOMS, "cellar"))
    assert unseen.verdict == "unsure"
    assert unseen.reason == "No camera looks at the room cellar."


def test_where_names_the_rooms_with_the_surest_first() -> None:
    where = Intent("location", (ANNA,))
    answers = [anna("k1", "yes", 0.91), anna("k2", "yes", 0.93), anna("h1", "yes", 0.999)]
    answers[2] = anna("h1", "no")
    assert together(where, answers).text == "text of k2"  # which the runtime made, room and all
    answers[2] = anna("h1", "yes", 0.999)
    several = together(where, answers)
    assert several.text == "Anna is in the hall (99 %) and in the kitchen (93 %)."
    assert (several.kind, several.verdict) == ("description", "yes")


@pytest.mark.parametrize("kind", ["appearance", "action"])
def test_a_description_is_that_of_the_camera_that_sees_her_best(kind: Kind) -> None:
    intent = Intent(kind, (ANNA,))
    answers = [anna("k1", "yes", 0.91), anna("k2", "no", 0.01), anna("h1", "yes", 0.99)]
    answer = together(intent, answers)
    assert (answer.kind, answer.verdict, answer.text) == ("description", "yes", "text of h1")
    assert [one.camera for one in answer.evidence] == ["h1"]
    nobody = together(intent, [anna("k1", "no"), anna("k2", "no"), anna("h1", "no")])
    assert (nobody.kind, nobody.verdict, nobody.text) == ("description", "no", "No, Anna is not here.")


def test_a_description_of_two_people_is_asked_and_joined_one_by_one() -> None:
    both = Intent("action", (ANNA, BEN))
    parts = split(both)
    assert [part.subject_ids for part in parts] == [(ANNA,), (BEN,)]
    cameras = [[anna("k1", "yes", 0.95), anna("k2", "no"), anna("h1", "no")]]
    cameras.append([said(name, {BEN: ("yes", 0.92) if name == "h1" else ("no", 0.01)}) for name in CAMERAS])
    answer = join([together(part, answers) for part, answers in zip(parts, cameras, strict=True)])
    assert (answer.kind, answer.verdict, answer.confidence) == ("description", "yes", 0.92)
    assert answer.text == "text of k1 text of h1"
    assert [one.camera for one in answer.evidence] == ["k1", "h1"]
    assert [one.subject_id for one in answer.subjects] == [ANNA, BEN]
    cameras[1] = [said(name, {BEN: ("no", 0.01)}) for name in CAMERAS]
    answer = join([together(part, answers) for part, answers in zip(parts, cameras, strict=True)])
    assert (answer.verdict, answer.text) == ("no", "text of k1 No, Ben is not here.")


@pytest.mark.parametrize("kind", ["existence", "location", "who", "stranger"])
def test_other_questions_are_asked_once(kind: Kind) -> None:
    intent = Intent(kind, (ANNA, BEN))
    assert split(intent) == (intent,)


def test_a_refusal_is_told_unless_another_camera_can_say_yes() -> None:
    refused = CameraAnswer("k1", Answer("refusal", "No.", None, None, 0.0, reason="Clothes cannot be told."))
    looks = Intent("appearance", (ANNA,), "kitchen")
    answer = together(looks, [refused, anna("k2", "no")])
    assert (answer.kind, answer.verdict, answer.reason) == ("refusal", None, "Clothes cannot be told.")
    assert exit_code(answer) == 6
    assert together(looks, [refused, anna("k2", "yes", 0.95)]).text == "text of k2"


def test_a_refusal_keeps_what_was_seen() -> None:
    seen = anna("k1", "yes", 0.95, kind="refusal", text="I see Anna, no more.", reason="Why.")
    answer = together(Intent("appearance", (ANNA,), "kitchen"), [seen, anna("k2", "no")])
    assert (answer.kind, answer.verdict, answer.text) == ("refusal", None, "I see Anna, no more.")
    assert answer.reason == "Why."
    assert answer.frame_age_ms == pytest.approx(500.0)
    assert [one.camera for one in answer.cameras] == ["k1", "k2"]
    old = [anna("k1", "yes", 0.95, kind="refusal", as_of=NOW - 60)]
    assert together(Intent("appearance", (ANNA,), "kitchen"), old).verdict == "unavailable"


def test_where_two_people_are_names_both_rooms() -> None:
    answers = [
        said("k1", {ANNA: ("yes", 0.95), BEN: ("no", 0.01)}),
        said("k2", {ANNA: ("no", 0.01), BEN: ("no", 0.01)}),
        said("h1", {ANNA: ("no", 0.01), BEN: ("yes", 0.92)}),
    ]
    answer = together(Intent("location", (ANNA, BEN)), answers)
    assert answer.text == "Anna is in the kitchen and Ben is in the hall."


def test_a_refusal_of_a_camera_that_is_not_live_says_nothing() -> None:
    refused = CameraAnswer("k1", Answer("refusal", "No.", None, None, 0.0, reason="Clothes cannot be told."))
    answer = together(Intent("appearance", (ANNA,), "kitchen"), [refused], reports(k1="down", k2="down"))
    assert answer.verdict == "unavailable"


@pytest.mark.parametrize(("room", "word"), [("cellar", "the room cellar"), (None, "this home")])
def test_no_camera_there_is_unavailable_with_the_next_step(room: str | None, word: str) -> None:
    answer = together(Intent("existence", (ANNA,), room), [], [], rooms=("cellar",))
    assert (answer.verdict, exit_code(answer)) == ("unavailable", 4)
    assert answer.reason.startswith(f"No camera looks at {word}. Add one")
    assert [one.verdict for one in answer.subjects] == ["unavailable"]


def test_who_merges_people_and_counts_strangers_of_one_room_once() -> None:
    answers = [
        said("k1", {ANNA: ("yes", 0.95), BEN: ("no", 0.01)}, unknown_people=1, verdict=None),
        said("k2", {ANNA: ("no", 0.05), BEN: ("unsure", 0.5)}, unknown_people=1, verdict=None),
    ]
    answer = together(Intent("who", (), "kitchen"), answers)
    assert (answer.kind, answer.verdict, answer.unknown_people) == ("people", None, 1)
    assert [(one.subject_id, one.verdict) for one in answer.subjects] == [(ANNA, "yes"), (BEN, "unsure")]
    assert answer.text == ("Anna is in the kitchen, somebody unknown is in the kitchen and perhaps Ben too.")


def test_who_names_people_of_one_room_together_and_those_of_another_beside() -> None:
    answers = [
        said("k1", {ANNA: ("yes", 0.95), BEN: ("yes", 0.95)}, verdict=None),
        said("k2", {ANNA: ("yes", 0.95), BEN: ("no", 0.05)}, verdict=None),
    ]
    nobody = said("h1", {ANNA: ("no", 0.01), BEN: ("no", 0.01)}, verdict=None)
    assert together(Intent("who"), [*answers, nobody]).text == "Anna and Ben are in the kitchen."
    apart = [said("k1", {ANNA: ("yes", 0.95)}, verdict=None), said("k2", {}, verdict=None)]
    there = said("h1", {BEN: ("yes", 0.95)}, verdict=None)
    assert together(Intent("who"), [*apart, there]).text == "Anna is in the kitchen and Ben is in the hall."


def test_who_in_an_empty_room_is_nobody_only_with_every_camera() -> None:
    who = Intent("who", (), "kitchen")
    nobody = [said("k1", {ANNA: ("no", 0.01)}), said("k2", {ANNA: ("no", 0.01)})]
    assert together(who, nobody).text == "Nobody is in the kitchen."
    partial = together(who, nobody, reports(k2="covered"))
    assert (partial.kind, partial.verdict) == ("verdict", "unsure")
    assert "Camera k2 is covered or dark." in partial.reason
    assert together(who, nobody, reports(k1="down", k2="down")).verdict == "unavailable"


def test_who_is_unsure_when_a_camera_saw_nobody_but_doubts_it() -> None:
    doubt = said("k2", {}, verdict="unsure", reason="Something moves behind the door.")
    answer = together(Intent("who", (), "kitchen"), [said("k1", {}, verdict=None), doubt])
    assert (answer.kind, answer.verdict, answer.reason) == (
        "verdict",
        "unsure",
        doubt.answer.reason if doubt.answer else "",
    )


def test_reasons_of_cameras_that_were_sure_are_left_out() -> None:
    answers = [
        anna("k1", "no", reason="Nobody is in view."),
        anna("k2", "unsure", reason="A back is in view."),
    ]
    assert together(KITCHEN, answers).reason == "A back is in view."


@pytest.mark.parametrize(
    ("unknown", "state", "expected"),
    [((0, 0), "live", "no"), ((0, 2), "live", "yes"), ((2, 0), "down", "yes"), ((0, 0), "down", "unsure")],
)
def test_a_stranger_is_anybody_unknown(unknown: tuple[int, int], state: CameraState, expected: str) -> None:
    answers = [
        said(name, {}, unknown_people=count) for name, count in zip(("k1", "k2"), unknown, strict=True)
    ]
    answer = together(Intent("stranger", (), "kitchen"), answers, reports(k2=state))
    assert (answer.kind, answer.verdict) == ("verdict", expected)
