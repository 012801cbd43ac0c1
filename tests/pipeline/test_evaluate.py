"""Claims about `python -m train.evaluate`: the real program, the shipped base, rendered people."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from train.evaluate.config import EvaluateConfig
from train.evaluate.folder import read_households
from train.evaluate.render import HOUSEHOLD, render_seed

ROOT = Path(__file__).parents[2]
CONFIG = EvaluateConfig(sizes=(1,), households=1, strangers=3, processes=1)
SEED = 7


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "train.evaluate", "--bundle", "runtime/base_bundle", *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=280, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluate")


@pytest.fixture(scope="module")
def scored(work: Path) -> dict[str, Any]:
    config = work / "c.toml"
    config.write_text(
        "sizes = [1]\nhouseholds = 1\nstrangers = 3\nprocesses = 1\ntrained = 1\ntrained_seconds = 6\n",
        encoding="utf-8",
    )
    done = evaluate(
        "--config", str(config), "--seeds", str(SEED), "--work", str(work), "--json", str(work / "r.json"),
        "--keep", str(work / "kept"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "wanted" in done.stderr
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert line == json.loads((work / "r.json").read_text(encoding="utf-8"))
    return line


def test_line_counts_everything_that_was_asked(scored: dict[str, Any]) -> None:
    counts = scored["instant_counts"]
    about_presence = {
        name: n
        for name, n in counts.items()
        if name.split("_")[0] in ("present", "lookalike", "stranger", "empty")
    }
    assert sum(about_presence.values()) == 5 + 5 + 3 + 1
    assert (scored["identities"], scored["world_seed"], scored["world"]) == (1, [SEED], "rendered")
    assert scored["instant"]["acc_empty"] == 1.0
    assert 0 < scored["instant_s"] < 5
    assert scored["trained_counts"] == counts
    assert scored["trained_s"] > scored["instant_s"]
    assert scored["bundle_mb"] <= 25


def test_every_answer_is_kept_with_its_truth(scored: dict[str, Any], work: Path) -> None:
    for path in (work / "answers").glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == sum(scored["instant_counts"].values())


def test_folder_of_another_renderer_is_scored_without_its_drawings(
    scored: dict[str, Any], work: Path
) -> None:
    (made,) = (path for path in work.iterdir() if path.name.startswith(f"seed-{SEED}"))
    foreign = work / "foreign"
    (home,) = made.iterdir()
    shutil.copytree(home, foreign)
    (foreign / HOUSEHOLD).unlink()
    shutil.rmtree(foreign / "still")
    needed = ("version", "clip_id", "started_at", "duration_s", "fps", "room")
    for path in foreign.glob("*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        people = [
            {n: one[n] for n in ("person_id", "action", "clothes", "decidable")} for one in data["people"]
        ]
        path.write_text(
            json.dumps({**{name: data[name] for name in needed}, "people": people}), encoding="utf-8"
        )
    config = work / "untrained.toml"
    config.write_text("trained = 0\n", encoding="utf-8")
    done = evaluate("--world", str(foreign), "--work", str(work / "other"), "--config", str(config))
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["world"], line["crop_knn"], line["world_seed"]) == (str(foreign), None, [None])
    assert line["instant"]["oracle"]["acc_present"] is None
    assert line["instant_counts"]["present"] > 0


def test_run_that_was_stopped_asks_only_what_was_not_answered(scored: dict[str, Any], work: Path) -> None:
    (instant,) = (work / "answers").rglob("answers.json")
    (trained,) = (work / "answers").rglob("answers-trained.json")
    kept = trained.stat().st_mtime_ns
    instant.unlink()
    done = evaluate("--config", str(work / "c.toml"), "--seeds", str(SEED), "--work", str(work))
    again = json.loads(done.stdout.splitlines()[-1])
    assert {**again["instant"], **again["trained"]} == {**scored["instant"], **scored["trained"]}
    assert instant.exists()
    assert trained.stat().st_mtime_ns == kept


def test_seed_that_was_kept_is_scored_without_its_clips(scored: dict[str, Any], work: Path) -> None:
    elsewhere = work / "elsewhere"
    done = evaluate(
        "--config", str(work / "c.toml"), "--seeds", str(SEED), "--work", str(elsewhere),
        "--keep", str(work / "kept"),
    )  # fmt: skip
    again = json.loads(done.stdout.splitlines()[-1])
    assert {**again, "seconds": None} == {**scored, "seconds": None}
    assert [path.name for path in elsewhere.iterdir()] == ["presence.png"]


@pytest.mark.usefixtures("scored")
def test_rendered_people_are_the_seeds_and_are_not_rendered_twice(work: Path) -> None:
    (made,) = (path for path in work.iterdir() if path.name.startswith(f"seed-{SEED}"))
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.mp4")}
    render_seed(made, SEED, CONFIG, lambda done, total: None)
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*.mp4")}
    (home,) = read_households(made)
    assert [one.reference.clip_id for one in home.members] == ["reference-member-0"]
    assert sorted(differing for _, differing in home.look_alikes.values()) == [1, 2, 3, 4, 5]


def test_folder_without_clips_is_an_error_that_names_it(tmp_path: Path) -> None:
    done = evaluate("--world", str(tmp_path))
    assert done.returncode == 5
    assert "holds no clips" in done.stderr
