"""Questions about clips of a tiny world, through real engines: what is said, and what never is."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.contract.dialogue import Intent, exit_code
from runtime.contract.errors import ContentError, DeadlineError, UsageError
from runtime.contract.serving import ClipSource
from runtime.video import read_video
from tests.fakes.tiny_bundle import (
    ANN,
    BEN,
    CYN,
    ELSEWHERE,
    POOR_ANN,
    STRANGER,
    frame,
    make_bundle,
    write_clip,
)
from tests.fakes.tiny_home import IDS, NAMES, TinyHome, open_tiny


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TinyHome:
    folder = tmp_path_factory.mktemp("home")
    built = TinyHome(open_tiny(make_bundle(folder / "bundle")), folder)
    built.install("ann", "ben")
    return built


def test_a_person_in_the_clip_is_seen_with_frame_box_and_hash(home: TinyHome) -> None:
    path = home.clip({19: ANN, 22: BEN})
    answer = home.ask(path, "existence", "ann")
    assert (answer.kind, answer.verdict, answer.text) == ("verdict", "yes", "Yes, Ann is in this clip.")
    assert answer.confidence is not None and answer.confidence >= answer.threshold == 0.9
    (evidence,) = answer.evidence
    assert (evidence.camera, evidence.subject_id, evidence.image) == (path.name, IDS["ann"], "")
    assert evidence.box == (240, 160, 80, 80)
    shown = read_video(path, fps=4).clip.frames[round(evidence.at * 4)]
    assert evidence.frame_sha256 == hashlib.sha256(shown.tobytes()).hexdigest()
    assert (answer.base, answer.adapters) == ("b" * 64, {IDS["ann"]: 1})
    assert set(answer.timings_ms) == {"decode", "look", "compare", "tell"}
    assert answer.as_of is None and answer.frame_age_ms is None


def test_a_person_who_is_not_there_is_denied_and_nobody_gets_the_nearest_name(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: STRANGER}), "existence", "ann")
    assert (answer.verdict, answer.text) == ("no", "No, I do not see Ann in this clip.")
    assert answer.unknown_people == 1
    assert [one.subject_id for one in answer.evidence] == [None]
    assert answer.reason == "1 person is in view, all told apart."
    assert exit_code(answer) == 0 and exit_code(answer, strict=True) == 1


def test_an_empty_room_is_a_no(home: TinyHome) -> None:
    answer = home.ask(home.clip({}), "existence", "ann")
    assert (answer.verdict, answer.unknown_people, answer.reason) == ("no", 0, "Nobody is in view.")
    assert answer.evidence == ()


def test_somebody_too_poorly_seen_turns_no_into_unsure(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: (190, 120, 120)}), "existence", "ann")
    assert answer.verdict == "unsure"
    assert "cannot be told" in answer.reason
    assert answer.unknown_people == 1


def test_one_clear_view_proves_who_is_poorly_seen_otherwise_and_is_the_one_shown(home: TinyHome) -> None:
    not_as_learned = (ANN[0], ANN[1] + 12, ANN[2])
    frames = [{19: POOR_ANN}] * 5 + [{19: not_as_learned}] + [{19: POOR_ANN}] * 2
    answer = home.ask(home.clip(*frames, seconds=0.25), "existence", "ann")
    assert answer.verdict == "yes"
    assert [round(one.at * 4) for one in answer.evidence] == [5]


def test_the_right_person_poorly_seen_is_unsure_and_not_yes(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: POOR_ANN}), "existence", "ann")
    assert (answer.verdict, exit_code(answer)) == ("unsure", 3)
    assert answer.confidence is not None and answer.confidence >= 0.9
    assert answer.reason == "The view is too poor to tell who it is."


def test_two_people_asked_about_must_both_be_there(home: TinyHome) -> None:
    both = home.ask(home.clip({17: ANN, 22: BEN}), "existence", "ann", "ben")
    assert (both.verdict, both.text) == ("yes", "Yes, Ann and Ben are in this clip.")
    assert [one.verdict for one in both.subjects] == ["yes", "yes"]
    assert {one.subject_id for one in both.evidence} == {IDS["ann"], IDS["ben"]}
    one = home.ask(home.clip({22: BEN}), "existence", "ann", "ben")
    assert (one.verdict, one.text) == ("no", "No, I do not see Ann in this clip, but I see Ben.")
    assert [said.verdict for said in one.subjects] == ["no", "yes"]
    unsure = home.ask(home.clip({17: POOR_ANN, 22: BEN}), "existence", "ann", "ben")
    assert unsure.verdict == "unsure"


def test_who_lists_the_enrolled_and_counts_the_others(home: TinyHome) -> None:
    answer = home.ask(home.clip({17: ANN, 20: STRANGER, 38: CYN}), "who")
    assert (answer.kind, answer.verdict) == ("people", None)
    assert answer.text == "I see Ann and 2 people whom I do not know in this clip."
    assert [(one.subject_id, one.verdict) for one in answer.subjects] == [(IDS["ann"], "yes")]
    assert answer.unknown_people == 2
    assert {one.subject_id for one in answer.evidence} == {IDS["ann"], None}
    assert home.ask(home.clip({}), "who").text == "I see nobody in this clip."


def test_strangers_are_reported_and_family_is_not(home: TinyHome) -> None:
    assert home.ask(home.clip({17: ANN, 20: STRANGER}), "stranger").verdict == "yes"
    assert home.ask(home.clip({17: ANN, 20: BEN}), "stranger").verdict == "no"
    poor = home.ask(home.clip({17: ANN, 20: (190, 120, 120)}), "stranger")
    assert (poor.verdict, poor.unknown_people) == ("unsure", 1)


def test_a_person_seen_only_for_a_moment_of_a_long_clip_is_found(home: TinyHome) -> None:
    path = home.clip({19: STRANGER}, {19: STRANGER}, {}, {12: ANN}, *[{19: STRANGER}] * 8, seconds=3.0)
    answer = home.ask(path, "existence", "ann")
    assert answer.verdict == "yes"
    assert 9.0 <= answer.evidence[0].at < 12.0


def test_a_person_who_comes_back_is_one_person(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: STRANGER}, {}, {44: STRANGER}, {}, {0: STRANGER}), "who")
    assert answer.unknown_people == 1


def test_a_description_speaks_only_of_the_one_who_is_there(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: ANN}), "action", "ann")
    assert (answer.kind, answer.verdict, answer.text) == ("description", "yes", "Ann is waving.")
    absent = home.ask(home.clip({19: ANN}), "action", "ben")
    assert (absent.kind, absent.verdict, absent.text) == (
        "verdict",
        "no",
        "No, I do not see Ben in this clip.",
    )


def test_two_names_never_stand_for_one_person(home: TinyHome, tmp_path: Path) -> None:
    twins = TinyHome(home.session, tmp_path)
    twins.enrol("ann")
    twins.enrol("ben", path=twins.clip({9: ANN}))
    try:
        twins.session.set_subjects([twins.ref("ann"), twins.ref("ben")])
        answer = twins.ask(twins.clip({19: ANN}), "who")
        assert all(one.verdict == "unsure" for one in answer.subjects)
        assert answer.unknown_people == 1
        assert answer.text == "I see somebody whom I do not know in this clip."
        assert twins.ask(twins.clip({19: ANN}), "existence", "ann").verdict == "unsure"
    finally:
        home.install("ann", "ben")


def test_a_scene_unlike_the_trained_world_is_never_a_no_without_faces(home: TinyHome, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "outside.mkv", [frame({19: ANN}, ELSEWHERE)] * 8)
    answer = home.ask(path, "existence", "ann")
    assert answer.verdict == "unsure"
    assert "another kind of footage" in answer.reason
    who = home.ask(path, "who")
    assert (who.kind, who.verdict) == ("verdict", "unsure")
    assert "only by their faces" in who.reason


def test_a_cut_clip_is_not_proof_of_absence(tmp_path: Path) -> None:
    home = TinyHome(open_tiny(make_bundle(tmp_path / "bundle"), max_clip_seconds=3.0), tmp_path)
    home.install("ann")
    answer = home.ask(home.clip({}, seconds=4.0), "existence", "ann")
    assert (answer.verdict, answer.reason) == ("unsure", "Only the first 3 s of the clip were looked at.")
    assert home.ask(home.clip({}, seconds=3.0), "existence", "ann").verdict == "no"


def test_evidence_pictures_have_the_box_drawn_and_are_private(home: TinyHome, tmp_path: Path) -> None:
    path = home.clip({19: ANN})
    answer = home.ask(path, "existence", "ann", evidence=tmp_path / "evidence")
    image = Path(answer.evidence[0].image)
    assert image.parent == tmp_path / "evidence"
    assert stat.S_IMODE(image.stat().st_mode) == 0o600
    assert stat.S_IMODE(image.parent.stat().st_mode) == 0o700
    stored = cv2.imread(str(image))
    assert stored is not None
    drawn = stored[..., ::-1].astype(int)
    plain = frame({19: ANN}).astype(int)
    assert drawn.shape == plain.shape
    assert np.abs(drawn[160, 250:310] - plain[160, 250:310]).max() > 60, "the frame of the box"
    assert np.abs(drawn[300:, :] - plain[300:, :]).max() < 40, "the rest is the frame"


def test_a_clip_without_faces_or_video_and_a_late_question_are_errors(home: TinyHome, tmp_path: Path) -> None:
    intent = Intent("existence", (IDS["ann"],))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ContentError):
        home.session.answer(ClipSource(tmp_path / "text.mp4"), intent, NAMES, None, lambda: 1.0)
    with pytest.raises(UsageError, match="does not exist"):
        home.session.answer(ClipSource(tmp_path / "none.mp4"), intent, NAMES, None, lambda: 1.0)
    with pytest.raises(DeadlineError):
        home.session.answer(ClipSource(home.clip({})), intent, NAMES, None, lambda: 0.0)
    with pytest.raises(UsageError, match="not installed"):
        home.ask(home.clip({}), "existence", "cyn")


def test_a_deadline_in_the_middle_of_looking_stops_the_session(home: TinyHome) -> None:
    left = iter([1.0, 1.0, 0.0])
    with pytest.raises(DeadlineError):
        home.session.answer(
            ClipSource(home.clip({1: ANN}, seconds=9)), Intent("who"), NAMES, None, lambda: next(left)
        )
