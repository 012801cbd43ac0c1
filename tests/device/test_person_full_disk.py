"""Enrolling on a full disk: a real limit on how large a file may become, set for a real process.

The system refuses the write that goes beyond it, in the middle of a file, as a full disk does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.paths import Home
from device.store.store import Store
from tests.device.fake_runtime import FakeRuntime, serving, short_home
from tests.device.test_cameras import clip

_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from device.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
ADD = ("person", "add", "Grandma", "--consent-by", "Ann", "--json")


@pytest.fixture
def box() -> Iterator[tuple[Home, FakeRuntime, Path]]:
    with short_home() as home, serving(home) as runtime:
        film = clip(home.root.parent / "kitchen.mp4", [40, 90, 180, 220] * 4)
        home.config_file.write_text(
            'rooms = ["kitchen"]\n[[cameras]]\nname = "cooker"\nroom = "kitchen"\nkind = "replay"\n'
            f'path = "{film}"\n',
            encoding="utf-8",
        )
        Store.open(home).close()
        yield home, runtime, film


def limited(home: Home, most_bytes: int, *words: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """The command line where no file may be larger than this: exit code, what --json printed, stderr."""
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(most_bytes), *words],
        env={**os.environ, "PVCHAT_HOME": str(home.root)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


def files(home: Home) -> list[str]:
    """What lies in the vault beside the database."""
    return [path.name for folder in (home.blobs, home.incoming) for path in folder.iterdir()]


@pytest.mark.parametrize("most_bytes", [10, 1_000, 30_000])
def test_full_disk_stores_nobody_and_with_space_the_same_command_works(
    box: tuple[Home, FakeRuntime, Path], most_bytes: int
) -> None:
    home, runtime, film = box
    code, said, stderr = limited(home, most_bytes, *ADD, "--clip", str(film))
    assert (code, said["error"]["code"]) == (5, "store"), stderr
    assert "free space" in said["error"]["next_step"]
    with Store.open(home) as store:
        assert store.people() == []
    assert files(home) == []
    code, _, stderr = limited(home, 1 << 30, *ADD, "--clip", str(film))
    assert code == 0, stderr
    assert len(files(home)) == 2 and len(runtime.subjects) == 1


def test_recording_that_does_not_fit_is_one_error_and_nothing_of_it_stays(
    box: tuple[Home, FakeRuntime, Path],
) -> None:
    home, runtime, _ = box
    code, said, stderr = limited(home, 500, *ADD, "--camera", "cooker", "--record", "2s")
    assert (code, said["error"]["code"]) == (5, "store"), stderr
    assert "free space" in said["error"]["next_step"]
    assert runtime.enrolled == [] and files(home) == []


def test_refusal_is_told_even_where_its_contact_sheet_does_not_fit(
    box: tuple[Home, FakeRuntime, Path],
) -> None:
    home, runtime, film = box
    runtime.refusal = "2 people are in the clip."
    code, said, stderr = limited(home, 10, *ADD, "--clip", str(film))
    assert (code, said["error"]["code"]) == (5, "content"), stderr
    assert said["error"]["message"] == runtime.refusal
    assert list(home.evidence.iterdir()) == [], "half a picture is none"
