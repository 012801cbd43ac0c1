"""A toy household from clip to adapter to bundle to socket to answer, by the public command line alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runtime
from train.world.dataset import reference_script
from train.world.files import write_clip
from train.world.household import sample_household
from train.world.sample import sample_script
from train.world.traits import Identity

BASE = Path(runtime.__file__).parent / "base_bundle"
SEED = 11


class Home:
    """A home in a short temporary folder, and the command line pointed at it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {**os.environ, "PVCHAT_HOME": str(root), "OMP_NUM_THREADS": "1"}

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """One command with --json; its object."""
        command = [sys.executable, "-m", "device.cli.main", *words, "--json"]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode in codes, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        data: dict[str, Any] = json.loads(done.stdout)
        return data

    def presence(self, name: str, clip: Path) -> tuple[str, float]:
        """Verdict and confidence of somebody in a clip."""
        said = self.run("ask", f"Is {name} here?", "--clip", str(clip), codes=(0, 3))
        answer = said.get("answer", said)
        return answer["verdict"], answer["confidence"]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="pvc-", dir="/tmp"))
    made = Home(root)
    made.run("init")
    yield made
    subprocess.run(["pkill", "-f", str(root)], check=False)
    shutil.rmtree(root, ignore_errors=True)


def _clip(folder: Path, name: str, who: Identity, seed: int) -> Path:
    import numpy as np

    script = sample_script(
        np.random.default_rng(seed), people=[who], person_ids=[name], actions=["standing"], night=False,
        foreground=False, hidden=False, head_px=(52.0, 64.0), facing_deg=10.0, clip_id=name,
    )  # fmt: skip
    write_clip(folder, script)
    return folder / f"{name}.mp4"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    world = sample_household(SEED)
    member = world.members[0]
    script = reference_script(world, member)
    write_clip(folder, script)
    return {
        "reference": folder / f"{script.clip_id}.mp4",
        "present": _clip(folder, "present", member.identity, 5),
        "stranger": _clip(folder, "stranger", world.stranger.identity, 6),
    }


def test_one_clip_becomes_an_answer_and_a_household_bundle_answers_alike(
    home: Home, clips: dict[str, Path], tmp_path: Path
) -> None:
    added = home.run("person", "add", "Ada", "--clip", str(clips["reference"]), "--consent-by", "Ada")
    assert added["release"] == 1
    verdict, present = home.presence("Ada", clips["present"])
    other_verdict, stranger = home.presence("Ada", clips["stranger"])
    assert verdict != "no"
    assert other_verdict != "yes"
    assert present > stranger + 0.2

    adapter = Path(added["report"]["adapter_path"])
    merged, bundle = tmp_path / "merged", tmp_path / "bundle"
    _module(
        "train.merge", "--base", str(BASE / "checkpoint"), "--adapter", str(adapter), "--out", str(merged)
    )
    line = _module(
        "export", "configs/export/cpu.toml", "--checkpoint", str(merged), "--out", str(bundle), "--quick",
        "--engines-from", str(BASE), "--adapters", str(adapter),
    )  # fmt: skip
    assert line["kind"] == "household"
    assert line["max_abs"] <= 1e-4
    home.run("bundle", "install", str(bundle))
    again, probability = home.presence("Ada", clips["present"])
    assert again == verdict
    assert probability == pytest.approx(present, abs=1e-4)


def test_forgetting_the_person_leaves_nobody_to_ask_about(home: Home, clips: dict[str, Path]) -> None:
    home.run("person", "forget", "Ada", "--yes")
    said = home.run("ask", "Is Ada here?", "--clip", str(clips["present"]), codes=(2,))
    assert said["error"]["code"] == "usage"


def _module(name: str, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", name, *words], capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    data: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return data
