"""Names as people have them, and two people with one name, through the real command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.cli.main import main
from device.paths import Home
from device.store.store import Store
from tests.device.command_line import command, environment
from tests.device.fake_runtime import FakeRuntime, serving, short_home

NO_FILE_NAMES = (
    "../../etc/passwd", "Tom/Mia", "C:\\Tom", 'Ann "Nan" O’Brien', "'; DROP TABLE subjects; --",
    "\U0001f469\u200d\U0001f467 Oma", "-", ".", "%s {name} $HOME", "祖母", "Zoë Müller-Lüdenscheidt", "CON",
)  # fmt: skip


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Home, FakeRuntime]]:
    with short_home() as home, serving(home) as runtime:
        (home.root.parent / "clip.mp4").write_bytes(b"a film")
        monkeypatch.setenv("PVCHAT_HOME", str(home.root))
        yield home, runtime


def add(home: Home, *words: str) -> list[str]:
    """The words that enrol whoever `words` say."""
    clip = home.root.parent / "clip.mp4"
    return ["person", "add", "--clip", str(clip), "--consent-by", "Ann", "--json", *words]


def people(home: Home) -> list[str]:
    """Everybody's name."""
    with Store.open(home) as store:
        return [person.subject.name for person in store.people()]


def outside(home: Home) -> set[Path]:
    """Everything around vault and sockets."""
    inside = (home.vault, home.run)
    return {
        path for path in home.root.parent.rglob("*") if not any(path.is_relative_to(one) for one in inside)
    }


def test_name_that_is_no_file_name_is_kept_to_the_letter_and_found_again(
    box: tuple[Home, FakeRuntime], capsys: pytest.CaptureFixture[str]
) -> None:
    home, _ = box
    before = outside(home)
    for name in NO_FILE_NAMES:
        assert main(add(home, "--", name)) == 0, capsys.readouterr()
        assert json.loads(capsys.readouterr().out)["name"] == name
    assert people(home) == list(NO_FILE_NAMES)
    for name in NO_FILE_NAMES:
        assert main(["person", "show", "--json", "--", name]) == 0
        assert json.loads(capsys.readouterr().out)["name"] == name
    assert outside(home) == before
    assert main(["person", "forget", "--yes", "--json", "--", "../../etc/passwd"]) == 0
    assert people(home) == list(NO_FILE_NAMES[1:])


@pytest.mark.parametrize("name", ["", " ", "\n", "x" * 65, "a\x1b[2Jb", "\u200b", "a\u202eb", "\udce9"])
def test_what_is_no_name_is_refused_before_anything_is_learned(
    box: tuple[Home, FakeRuntime], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    home, runtime = box
    assert main(add(home, name)) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["next_step"]) == ("usage", "Choose another name.")
    assert people(home) == [] and runtime.enrolled == []


def test_name_that_only_looks_different_is_taken(
    box: tuple[Home, FakeRuntime], capsys: pytest.CaptureFixture[str]
) -> None:
    home, _ = box
    assert main(add(home, "José O'Brien", "--alias", "Opa")) == 0
    for again in ("jose\u0301 o’brien", "OPA"):
        capsys.readouterr()
        assert main(add(home, again)) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert "José O'Brien already answers to" in error["message"] and "--replace" in error["next_step"]
    assert people(home) == ["José O'Brien"]


def test_of_two_who_are_enrolled_at_once_under_one_name_only_one_is_stored(
    box: tuple[Home, FakeRuntime],
) -> None:
    home, runtime = box
    runtime.go_on.clear()
    running = [
        subprocess.Popen(
            command(*add(home, name)),
            env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in ("Tom", "tom")
    ]  # fmt: skip
    for process in running:  # both have found the name free before either is stored
        assert process.stderr is not None and "Learning" in process.stderr.readline()
    runtime.go_on.set()
    said = [json.loads(process.communicate(timeout=60)[0]) for process in running]
    assert sorted(process.returncode for process in running) == [0, 2]
    (error,) = [one["error"] for one in said if "error" in one]
    assert "already answers to" in error["message"]
    assert len(people(home)) == 1 and len(list(home.blobs.iterdir())) == 2
    assert list(home.incoming.iterdir()) == [] and len(runtime.enrolled) == 2
