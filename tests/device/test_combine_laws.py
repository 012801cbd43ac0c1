"""Laws of the truth contract that hold for every home, whatever its cameras say."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from device.daemon.combine import combine
from device.daemon.coverage import CameraAnswer, Thresholds
from runtime.contract.dialogue import (
    Answer,
    CameraReport,
    CameraState,
    Intent,
    Kind,
    SubjectVerdict,
    Verdict,
    exit_code,
)

NOW = 1_000_000.0
PEOPLE = ("s" + "a" * 32, "s" + "b" * 32)
ROOMS = ("kitchen", "hall", "cellar")
LIMITS = Thresholds(accept=0.9, max_frame_age_ms=5000)
VERDICTS: tuple[Verdict, ...] = ("yes", "no", "unsure", "unavailable")
STATES: tuple[CameraState, ...] = ("live", "stale", "frozen", "covered", "down", "connecting")
KINDS: tuple[Kind, ...] = ("existence", "appearance", "action", "location", "who", "stranger")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Intent, list[CameraAnswer], list[CameraReport]]:
    """A question, up to four cameras with states and ages, and what was said about them, if anything."""
    answers: list[CameraAnswer] = []
    reports: list[CameraReport] = []
    for index in range(draw(st.integers(0, 4))):
        name = f"c{index}"
        age_ms = draw(st.one_of(st.none(), st.floats(-3000, 9000)))
        state = draw(st.sampled_from(("live", "live", "live", *STATES)))
        reports.append(CameraReport(name, draw(st.sampled_from(ROOMS)), state, age_ms))
        if draw(st.booleans()):
            answers.append(draw(_answers(name)))
    kind = draw(st.sampled_from(KINDS))
    subjects = () if kind in ("who", "stranger") else PEOPLE[: draw(st.integers(1, 2))]
    return Intent(kind, subjects, draw(st.sampled_from((None, *ROOMS)))), answers, reports


@st.composite
def _answers(draw: st.DrawFn, camera: str) -> CameraAnswer:
    what = draw(st.sampled_from(("said", "said", "said", "said", "refused", "failed")))
    if what == "failed":
        return CameraAnswer(camera, None, "it broke.")
    if what == "refused":
        return CameraAnswer(camera, Answer("refusal", "", None, None, 0.0, reason="cannot be told."))
    subjects = tuple(
        SubjectVerdict(who, draw(st.sampled_from(VERDICTS)), draw(st.one_of(st.none(), st.floats(0, 1))))
        for who in PEOPLE
    )
    as_of = draw(st.one_of(st.none(), st.floats(NOW - 9, NOW + 3)))
    unknown = draw(st.integers(0, 3))
    text = f"text of {camera}"
    return CameraAnswer(
        camera,
        Answer("verdict", text, None, None, 0.9, as_of=as_of, subjects=subjects, unknown_people=unknown),
    )


def together(case: tuple[Intent, list[CameraAnswer], list[CameraReport]]) -> Answer:
    """`combine` with this file's limits."""
    intent, answers, reports = case
    return combine(intent, answers, reports, LIMITS, ROOMS, names={}, now=NOW)


def counted(case: tuple[Intent, list[CameraAnswer], list[CameraReport]]) -> dict[str, Answer]:
    """By the words of the contract: of a room asked about, live, fresh now, answered on a fresh frame."""
    intent, answers, reports = case
    fresh: dict[str, Answer] = {}
    for report in reports:
        answer = next((one.answer for one in answers if one.camera == report.camera), None)
        if report.state != "live" or report.frame_age_ms is None or intent.room not in (None, report.room):
            continue
        if answer is None or answer.kind == "refusal" or answer.as_of is None:
            continue
        if -1000 <= report.frame_age_ms <= 5000 and -1.0 <= NOW - answer.as_of <= 5.0:
            fresh[report.camera] = answer
    return fresh


@given(cases())
def test_yes_about_people_needs_a_fresh_camera_that_says_yes_for_each(
    case: tuple[Intent, list[CameraAnswer], list[CameraReport]],
) -> None:
    intent, answer = case[0], together(case)
    if answer.verdict != "yes" or not intent.subject_ids:
        return
    for who in intent.subject_ids:
        assert any(
            one.subject_id == who and one.verdict == "yes"
            for said in counted(case).values()
            for one in said.subjects
        )
    assert answer.as_of is not None
    assert answer.frame_age_ms is not None
    assert 0 <= answer.frame_age_ms <= 5000


@given(cases())
def test_no_about_somebody_needs_every_camera_of_every_room_asked_about(
    case: tuple[Intent, list[CameraAnswer], list[CameraReport]],
) -> None:
    intent, _, reports = case
    rooms = ROOMS if intent.room is None else (intent.room,)
    answer = together(case)
    denied = [one.subject_id for one in answer.subjects if one.verdict == "no"]
    if answer.kind == "people" or not denied:
        return
    fresh = counted(case)
    asked_about = [report for report in reports if report.room in rooms]
    assert {report.room for report in asked_about} == set(rooms)
    for report in asked_about:
        verdicts = {one.subject_id: one.verdict for one in fresh[report.camera].subjects}
        assert all(verdicts[who] == "no" for who in denied)


@given(cases())
def test_nothing_fresh_is_never_an_answer(
    case: tuple[Intent, list[CameraAnswer], list[CameraReport]],
) -> None:
    answer = together(case)
    if counted(case):
        return
    assert exit_code(answer) in (4, 6)
    assert answer.confidence is None
    assert answer.evidence == ()
    assert answer.reason


@given(cases(), st.data())
def test_losing_a_camera_never_makes_a_yes_or_a_no(
    case: tuple[Intent, list[CameraAnswer], list[CameraReport]], data: st.DataObject
) -> None:
    intent, answers, reports = case
    if not reports:
        return
    lost = data.draw(st.integers(0, len(reports) - 1))
    state = data.draw(st.sampled_from(STATES[1:]))
    worse = [replace(one, state=state) if place == lost else one for place, one in enumerate(reports)]
    before, after = together(case), together((intent, answers, worse))
    if before.kind == "refusal":
        return  # what one camera could not be asked, another may answer
    for verdict in ("yes", "no"):
        if after.verdict == verdict:
            assert before.verdict == verdict


@given(cases())
def test_the_order_of_answers_does_not_matter(
    case: tuple[Intent, list[CameraAnswer], list[CameraReport]],
) -> None:
    intent, answers, reports = case
    assert together((intent, answers[::-1], reports)) == together(case)


@given(cases())
def test_every_unsure_unavailable_or_refused_answer_names_the_cameras_consulted(
    case: tuple[Intent, list[CameraAnswer], list[CameraReport]],
) -> None:
    intent, _, reports = case
    consulted = tuple(report for report in reports if intent.room in (None, report.room))
    assert together(case).cameras == consulted
