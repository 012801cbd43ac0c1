"""Enrolment from one clip: whom it takes, whom it refuses, what it writes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.adapters import read_adapter
from runtime.contract.errors import ContentError, UsageError
from tests.fakes.tiny_bundle import ANN, BEN, POOR_ANN, STRANGER, make_bundle
from tests.fakes.tiny_home import IDS, TinyHome, open_tiny


@pytest.fixture
def home(tmp_path: Path) -> TinyHome:
    return TinyHome(open_tiny(make_bundle(tmp_path / "bundle")), tmp_path)


def test_one_clip_gives_a_sound_adapter_and_an_honest_report(home: TinyHome) -> None:
    report = home.enrol("ann")
    adapter, _ = read_adapter(
        home.adapter("ann"),
        base="b" * 64,
        shapes={"Q": 16, "D": 192, "Dl": 192, "E": 128, "F": 128, "K": 4, "R": 4},
    )
    assert (adapter.subject_id, adapter.kind, adapter.release) == (IDS["ann"], "instant", 1)
    assert not adapter.arrays["delta_a"].any() and not adapter.arrays["delta_b"].any()
    assert np.allclose(np.linalg.norm(adapter.views("head"), axis=1), 1.0, atol=1e-5)
    assert (report.source, report.people, report.frames_used, report.heads_found) == ("head", 1, 16, 16)
    assert report.views == len(adapter.views("head")) == 16
    assert report.faces_found == 0 and report.nearest is None
    assert report.quality == pytest.approx(0.99, abs=0.05)
    assert any("look alike" in hint for hint in report.hints), "all frames are the same square"


def test_the_contact_sheet_shows_every_person_in_a_row(home: TinyHome) -> None:
    with pytest.raises(ContentError, match="2 different people"):
        home.enrol("ann", path=home.clip({17: ANN, 22: BEN}))
    stored = cv2.imread(str(home.folder / "ann.jpg"))
    assert stored is not None
    sheet = stored[..., ::-1]
    assert sheet.shape == (2 * 134, 768, 3)
    assert np.abs(sheet[70, 48].astype(int) - ANN).max() < 30
    assert np.abs(sheet[70 + 134, 48].astype(int) - BEN).max() < 30


def test_several_people_need_a_choice_and_the_error_says_how(home: TinyHome) -> None:
    path = home.clip({17: ANN, 22: BEN})
    with pytest.raises(ContentError, match="2 different people") as caught:
        home.enrol("ann", path=path)
    assert "ann.jpg" in caught.value.next_step and "--which N, 1 to 2" in caught.value.next_step
    assert not home.adapter("ann").exists()
    with pytest.raises(UsageError, match="--which 3"):
        home.enrol("ann", path=path, which=3)
    report = home.enrol("ben", path=path, which=2)
    assert report.people == 2
    home.install("ben")
    assert home.ask(home.clip({30: BEN}), "existence", "ben").verdict == "yes"
    assert home.ask(home.clip({30: ANN}), "existence", "ben").verdict == "no"


def test_somebody_who_leaves_and_comes_back_is_one_person(home: TinyHome) -> None:
    report = home.enrol("ann", path=home.clip({16: ANN}, {}, {39: ANN}))
    assert (report.people, report.heads_found) == (1, 16)


def test_an_empty_and_a_poor_clip_are_refused_with_a_next_step(home: TinyHome) -> None:
    with pytest.raises(ContentError, match="shows no person") as caught:
        home.enrol("ann", path=home.clip({}))
    assert "Record" in caught.value.next_step
    with pytest.raises(ContentError, match="too small or blurred"):
        home.enrol("ann", path=home.clip({19: POOR_ANN}))
    assert not home.adapter("ann").exists()


def test_a_lookalike_among_the_installed_is_named_as_a_risk(home: TinyHome) -> None:
    home.install("ann", "ben")
    report = home.enrol("cyn", path=home.clip({19: ANN}))
    assert report.nearest is not None and report.nearest.subject_id == IDS["ann"]
    assert report.nearest.similarity == pytest.approx(1.0, abs=1e-3)
    assert any("high risk" in hint for hint in report.hints)
    other = home.enrol("cyn", path=home.clip({19: STRANGER}))
    assert other.nearest is not None and other.nearest.similarity < 0.5
    again = home.enrol("ann")
    assert again.nearest is None or again.nearest.subject_id != IDS["ann"]


def test_enrolling_twice_gives_the_same_file(home: TinyHome) -> None:
    path = home.clip({9: ANN}, {12: ANN})
    home.enrol("ann", path=path)
    first = home.adapter("ann").read_bytes()
    home.enrol("ann", path=path)
    assert home.adapter("ann").read_bytes() == first


def test_several_clips_make_one_person_and_every_clip_counts(home: TinyHome) -> None:
    beside = home.clip({9: ANN, 20: BEN})
    report = home.enrol("ann", more=(home.clip({30: ANN}), beside))
    assert (report.clips, report.people, report.frames_used) == (3, 1, 16 + 8 + 8)
    adapter, _ = read_adapter(
        home.adapter("ann"),
        base="b" * 64,
        shapes={"Q": 16, "D": 192, "Dl": 192, "E": 128, "F": 128, "K": 4, "R": 4},
    )
    views = adapter.views("head")
    assert float((views @ views.T).min()) > 0.9, "nobody else's views are mixed in"


def test_further_clip_without_the_person_is_refused_by_name(home: TinyHome) -> None:
    with pytest.raises(ContentError, match=r"nobody in clip2\.mkv looks like the person of clip1\.mkv"):
        home.enrol("ann", path=home.clip({9: ANN}), more=(home.clip({9: BEN}),))
    with pytest.raises(ContentError, match="nobody in clip4"):
        home.enrol("ann", path=home.clip({9: ANN}), more=(home.clip({}),))
    assert not home.adapter("ann").exists()


def test_further_clip_with_two_who_could_be_it_is_refused(home: TinyHome) -> None:
    with pytest.raises(ContentError, match="two people in clip2"):
        home.enrol("ann", path=home.clip({9: ANN}), more=(home.clip({9: ANN, 22: (255, 4, 124)}),))
