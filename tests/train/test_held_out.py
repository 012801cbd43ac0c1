"""Claims about the questions that calibrate and measure a base, asked of the base that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

import runtime
from train.base.config import WorldConfig
from train.base.held_out import HeldOut, Trial, run_trials
from train.checkpoint import load_base

BASE = Path(runtime.__file__).parent / "base_bundle" / "checkpoint"
WORLD = WorldConfig(seed=77, identities=40, clips_each=2, held_out=24)


@pytest.fixture(scope="module")
def held() -> HeldOut:
    model, _ = load_base(BASE)
    return HeldOut(model.eval(), WORLD)


@pytest.fixture(scope="module")
def trials(held: HeldOut) -> list[Trial]:
    return run_trials(held, people=5, progress=lambda done, total: None)


def test_a_person_is_asked_about_where_she_is_and_where_others_are(trials: list[Trial]) -> None:
    assert {trial.case for trial in trials} == {"present", "lookalike", "stranger"}
    assert any(trial.looks for trial in trials)


def test_scores_of_those_who_are_there_are_higher_than_of_strangers(trials: list[Trial]) -> None:
    def middle(case: str) -> float:
        asked = [t for t in trials if t.case == case and t.told and t.looks]
        scores = sorted(max(look.score for look in trial.looks) for trial in asked)
        return scores[len(scores) // 2]

    assert middle("present") > middle("stranger")


def test_the_windows_of_a_question_cover_the_whole_clip(held: HeldOut) -> None:
    scene = held.scene(held.first * 2 + 1)
    frames = int(scene.script.duration_s * held.spec.window_fps)
    assert len(scene.windows) == -(-frames // held.spec.window_frames)
    assert len(scene.people) == len(scene.windows)
    for window, people in zip(scene.windows, scene.people, strict=True):
        assert window.scene.shape[0] == held.spec.window_frames
        assert {view.track for view in window.tokens.views} == set(range(len(people)))
