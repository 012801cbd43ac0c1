"""Claims about the installed program as the home gets it: the real command, the real base bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.paths import base_bundle
from runtime.contract.bundle import MANIFEST, Bundle

needs_base = pytest.mark.skipif(
    not (base_bundle() / MANIFEST).is_file(),
    reason="runtime/base_bundle is not there: no base was trained yet",
)
COMMAND = Path(sys.executable).parent / "pvchat-edge"


@pytest.fixture
def home() -> Iterator[Path]:
    """A fresh home with a path short enough for its sockets."""
    with tempfile.TemporaryDirectory(prefix="pv", dir="/tmp") as folder:
        yield Path(folder) / "home"


def run(home: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PVCHAT_HOME": str(home)}
    return subprocess.run(
        list(words),
        capture_output=True,
        text=True,
        env=environment,
        cwd=home.parent,
        timeout=120,
        check=False,
    )


def test_the_installed_command_tells_its_usage(home: Path) -> None:
    done = run(home, COMMAND, "--help")
    assert done.returncode == 0, done.stderr
    assert all(verb in done.stdout for verb in ("init", "doctor", "person", "ask", "daemon", "ota"))
    assert not home.exists()


def test_doctor_tells_a_home_that_was_not_made_from_one_that_was(home: Path) -> None:
    before = checks(home)
    assert before["home"] != "ok" and not home.exists()
    assert run(home, COMMAND, "init").returncode == 0
    after = checks(home)
    assert after["home"] == "ok"
    failed = {name for name, state in after.items() if state == "fail"}
    assert failed == (set() if base_bundle().is_dir() else {"bundle"})


def checks(home: Path) -> dict[str, str]:
    """State by name of what `doctor` looked at; its exit code says whether something fails."""
    done = run(home, COMMAND, "doctor", "--json")
    states = {check["name"]: check["state"] for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == (5 if "fail" in states.values() else 0), done.stderr
    return states


@needs_base
def test_the_base_bundle_is_whole_and_holds_nobody() -> None:
    bundle = Bundle.open(base_bundle())
    bundle.verify()
    assert bundle.manifest.kind == "base"
    assert bundle.role("adapter") == []


@needs_base
def test_the_base_bundle_passes_its_selftest_on_this_engine(home: Path) -> None:
    done = run(home, sys.executable, "-m", "runtime", "selftest", base_bundle())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""
