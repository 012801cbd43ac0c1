"""Claims about kept answers and saved seeds: whole, and only for what they came of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from train.evaluate.answers import Answers
from train.evaluate.folder import Enrolled, Household
from train.evaluate.kept import answers_key, read_kept, write_kept
from train.evaluate.saved import read_saved, saved_path, write_saved
from train.evaluate.score import Seed
from train.evaluate.trials import Description, Presence
from train.world.files import ClipRecord

SEEN = Presence(
    "h", 1, "c", "m", "present", 0, True, False, "unsure", None, "yes", False, 40.0, "sweater", "tan", None
)
SAID = Description("h", 1, "c", "action", "Anna is waving.", "Anna is waving.", {"action": "waving"}, {})
ANSWERS = Answers([SEEN], [SAID], [0.31], ["h/other"])
KEY = answers_key("bundle")


@pytest.fixture
def home(tmp_path: Path) -> Household:
    video = tmp_path / "c.mp4"
    video.write_bytes(b"a clip")
    clip = ClipRecord("c", video, 0.0, 1.0, 2.0, "kitchen", False, (), None)
    return Household("h", (Enrolled("m", clip, None),), (clip,), {"x": ("m", 3)})


def test_answers_come_back_as_they_were(tmp_path: Path, home: Household) -> None:
    write_kept(tmp_path / "answers.json", KEY, home, ANSWERS)
    assert read_kept(tmp_path / "answers.json", KEY, home) == ANSWERS


def test_answers_of_another_bundle_or_another_training_time_do_not_count(
    tmp_path: Path, home: Household
) -> None:
    path = tmp_path / "answers.json"
    write_kept(path, KEY, home, ANSWERS)
    assert read_kept(path, answers_key("other"), home) is None
    assert read_kept(path, answers_key("bundle", "60"), home) is None


def test_answers_about_other_clips_or_another_truth_do_not_count(tmp_path: Path, home: Household) -> None:
    path = tmp_path / "answers.json"
    write_kept(path, KEY, home, ANSWERS)
    assert read_kept(path, KEY, dataclasses.replace(home, look_alikes={})) is None
    home.clips[0].video.write_bytes(b"another clip")
    assert read_kept(path, KEY, home) is None


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b'{"key": "x"}'])
def test_file_that_is_not_whole_is_no_answer(tmp_path: Path, home: Household, raw: bytes) -> None:
    path = tmp_path / "answers.json"
    path.write_bytes(raw)
    assert read_kept(path, KEY, home) is None
    assert read_kept(tmp_path / "none.json", KEY, home) is None


@pytest.mark.parametrize("trained", [None, ANSWERS])
def test_a_seed_comes_back_as_it_was_and_only_for_what_it_came_of(
    tmp_path: Path, trained: Answers | None
) -> None:
    path, seed = saved_path(tmp_path / "keep", 2), Seed(2, ANSWERS, trained, {"0.5": 0.25}, 3)
    write_saved(path, KEY, seed)
    assert read_saved(path, KEY) == seed
    assert read_saved(path, answers_key("other")) is None
    assert read_saved(saved_path(tmp_path, 3), KEY) is None
    first = path.read_bytes()
    write_saved(path, KEY, seed)
    assert path.read_bytes() == first
    header = 10
    for damaged in (first[:-9], first[:header] + b"\xff" + first[header + 1 :]):
        path.write_bytes(damaged)
        assert read_saved(path, KEY) is None
