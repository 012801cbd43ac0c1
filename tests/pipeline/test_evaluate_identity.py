"""Claims about `python -m train.evaluate_identity` on real people, through the real runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "clips"
CLIPS = (
    "asl01/asl01_again.mkv", "asl01/asl01_yes.mkv", "asl03/asl03_book.mkv", "asl03/asl03_walk.mkv",
    "asl04/asl04_eat.mkv", "asl04/asl04_night.mkv", "grid03/grid03_brbk7n.mpg", "grid05/grid05_lbbc2a.mpg",
)  # fmt: skip


def measure(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "train.evaluate_identity", *words],
        capture_output=True, text=True, cwd=ROOT, timeout=600, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data with the real clips is not beside the project")
@pytest.mark.timeout(700)
def test_real_people_are_named_rightly_and_strangers_never(tmp_path: Path) -> None:
    for clip in CLIPS:
        (tmp_path / clip).parent.mkdir(exist_ok=True)
        (tmp_path / clip).symlink_to(DATA / clip)
    done = measure(str(tmp_path), "--strangers", "grid03,grid05", "--json", str(tmp_path / "r.json"))
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["queries"], line["strangers"], line["enrolled"]) == (3, 2, 3)
    assert line["identified"] == 1.0, done.stderr
    assert (line["wrong_name"], line["stranger_named"], line["false_no"]) == (0.0, 0.0, 0.0)
    assert line["stranger_named_high"] > 0.8, "two clips prove little"
    assert "dlib" in line["encoders"] and line["not_enrolled"] == []
    each = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["each"]
    assert len(each) == 5


def test_folder_that_is_none_is_an_error_with_the_layout(tmp_path: Path) -> None:
    done = measure(str(tmp_path))
    assert done.returncode == 5
    assert "FOLDER/PERSON/CLIP" in done.stderr
