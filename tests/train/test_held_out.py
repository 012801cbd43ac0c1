"""Claims about the questions that calibrate and measure a base, asked of the base that ships."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import runtime
from train.base.config import BaseConfig, StageConfig, WorldConfig
from train.base.held_out import HeldOut, Trial, run_trials
from train.base.refit import recalibrate
from train.checkpoint import CALIBRATION, EVALUATION, MADE_BY, fingerprint, load_base
from train.fit import FitConfig

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


def test_a_base_is_calibrated_anew_and_keeps_its_weights_and_what_it_says_of_the_rest(tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(BASE, before)
    (before / EVALUATION).write_text(json.dumps({"presence": {"cllr": 9.0}, "head": {"eer": 0.1}}))
    (before / MADE_BY).write_text(json.dumps({"seed": 1}))
    out = tmp_path / "after"
    stage = StageConfig(FitConfig(steps=1), batch=1)
    config = BaseConfig(
        head=stage, vision=stage, body=stage, tracks=stage, bridge=stage, language=stage, world=WORLD,
        calibration_people=8,
    )  # fmt: skip
    figures = recalibrate(before, config, out, lambda done, total: None)
    assert fingerprint(out) == fingerprint(BASE), "everybody's adapter stays valid"
    old, new = (json.loads((folder / CALIBRATION).read_text()) for folder in (before, out))
    assert new["sources"]["bridge"]["provenance"] != old["sources"]["bridge"]["provenance"]
    assert {new[name] == old[name] for name in ("descriptions", "described_with", "domain_sure")} == {True}
    said = json.loads((out / EVALUATION).read_text())
    assert (said["presence"], said["head"]) == (figures, {"eer": 0.1})
    assert json.loads((out / MADE_BY).read_text())["seed"] == 1
