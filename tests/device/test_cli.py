"""The command line itself: table of verbs, errors, exit codes, speed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from device.cli import main as cli
from device.cli.output import table
from device.paths import Home
from tests.device.fake_runtime import put_bundle, short_home

HELP_BUDGET_S = 0.5


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("PVCHAT_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home")


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out = capsys.readouterr().out
    assert out.count("\n") == 1, out
    data = json.loads(out)
    assert isinstance(data, dict)
    return data


def test_help_takes_less_than_half_a_second_and_loads_nothing_heavy() -> None:
    program = "import sys; from device.cli.main import main; main(['--help']); print(sorted(sys.modules))"
    times_s = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        times_s.append(time.perf_counter() - start)
    assert min(times_s) < HELP_BUDGET_S
    loaded = done.stdout.splitlines()[-1]
    for heavy in ("numpy", "cv2", "zmq", "msgspec", "onnxruntime", "tuf", "torch", "device.store"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_its_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"device.cli.{cli.VERBS[verb][0]}")
    assert module.__doc__
    with pytest.raises(SystemExit) as ended:
        cli.main([*verb.split(), "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: pvchat-edge {verb}")
    assert "--json" in said


def test_the_overview_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {verb} " in said for verb in cli.VERBS)
    assert cli.main(["person"]) == 2
    said = capsys.readouterr().out
    assert "person add" in said
    assert "daemon" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["persn", "list"], "Did you mean `pvchat-edge person list`?"),
        (["person", "lst"], "Did you mean `pvchat-edge person list`?"),
        (["zzzzzz"], "See `pvchat-edge --help`"),
        (["person", "list", "--colour"], "See `pvchat-edge person list --help`"),
        (["--colour"], "--colour"),
        (["ask"], "QUESTION"),
        (["person", "add", "Ben"], "--clip"),
    ],
)
def test_a_wrong_call_is_one_line_with_the_next_step(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], home: Home
) -> None:
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("pvchat-edge: ")
    assert said in captured.err


def test_with_json_an_error_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    assert cli.main(["--json", "person", "show", "Nobody"]) == 2
    error = _json(capsys)["error"]
    assert error["code"] == "usage"
    assert "Nobody" in error["message"]
    assert error["next_step"]


def test_debug_shows_the_trace_and_nothing_else_does(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    assert cli.main(["person", "show", "Nobody"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert cli.main(["person", "show", "Nobody", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_one_line_too(
    capsys: pytest.CaptureFixture[str], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from device.cli import person_list

    def broken(*_: object) -> int:
        raise ZeroDivisionError("by nobody")

    monkeypatch.setattr(person_list, "run", broken)
    assert cli.main(["person", "list"]) == 5
    said = capsys.readouterr().err
    assert "ZeroDivisionError: by nobody" in said
    assert said.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(home: Home) -> None:
    command = f"{sys.executable} -m device.cli.main --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("0", "141")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_init_writes_settings_once(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    assert cli.main(["init", "--json"]) == 0
    data = _json(capsys)
    assert data["home"] == str(home.root)
    assert home.root.stat().st_mode & 0o777 == 0o700
    home.config_file.write_text('rooms = ["attic"]\n')
    assert cli.main(["init"]) == 2
    assert "was not changed" in capsys.readouterr().err
    assert home.config_file.read_text() == 'rooms = ["attic"]\n'


def test_doctor_says_what_is_wrong_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with short_home() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVCHAT_HOME", str(home.root))
        put_bundle(home)
        assert cli.main(["init"]) == 0
        capsys.readouterr()
        assert cli.main(["doctor", "--json"]) == 0
        states = {check["name"]: check["state"] for check in _json(capsys)["checks"]}
        assert states["home"] == states["bundle"] == states["store"] == states["sockets"] == "ok"
        assert states["settings"] == states["daemon"] == "warn"
        home.root.chmod(0o755)
        (home.current_bundle() / "stray.bin").write_bytes(b"x")
        assert cli.main(["doctor", "--json"]) == 5
        checks = {check["name"]: check for check in _json(capsys)["checks"]}
        assert checks["home"]["next_step"] == f"Run `chmod 700 {home.root}`."
        assert "stray.bin" in checks["bundle"]["found"]


def test_doctor_says_how_to_get_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from device import checkup

    monkeypatch.setattr(checkup, "_version", lambda name: "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check = checkup.check_engine()
    assert check.state == "fail"
    assert "pip install 'pvchat-edge[cpu]'" in check.next_step
    monkeypatch.setattr(checkup, "_version", lambda name: "1.0")
    assert checkup.check_engine().state == "warn"  # both builds at once


def test_bundle_verify_names_the_damaged_file(capsys: pytest.CaptureFixture[str], home: Home) -> None:
    home.create()
    bundle_id = put_bundle(home)
    assert cli.main(["bundle", "verify", "--json"]) == 0
    assert _json(capsys)["bundle_id"] == bundle_id
    (home.current_bundle() / "extra.onnx").write_bytes(b"")
    assert cli.main(["bundle", "verify"]) == 5
    assert "extra.onnx is not in the manifest" in capsys.readouterr().err
    assert cli.main(["bundle", "verify", str(home.root / "none")]) == 5


def test_status_without_a_daemon_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with short_home() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVCHAT_HOME", str(home.root))
        bundle_id = put_bundle(home)
        assert cli.main(["status", "--json"]) == 0
        data = _json(capsys)
        assert data["daemon"] is None
        assert data["bundle"]["bundle_id"] == bundle_id
        assert data["people"] == []


def test_a_question_without_a_daemon_is_unavailable(capsys: pytest.CaptureFixture[str]) -> None:
    with short_home() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVCHAT_HOME", str(home.root))
        assert cli.main(["ask", "Is Ben here?"]) == 4
        assert "pvchat-edge daemon" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["none.mp4", "folder", "."])
def test_a_bad_clip_path_is_a_wrong_call(
    path: str, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["ask", "Is Ben here?", "--clip", path]) == 2
    assert cli.main(["person", "add", "Ben", "--consent-by", "Ben", "--clip", path]) == 2


@pytest.mark.parametrize("timeout_ms", ["0", "-5", "600001", "soon"])
def test_a_senseless_timeout_is_a_wrong_call(timeout_ms: str, home: Home) -> None:
    assert cli.main(["ask", "Is Ben here?", f"--timeout-ms={timeout_ms}"]) == 2


def test_demo_without_torch_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from device import workshop

    monkeypatch.setattr(workshop, "installed", lambda name: name != "torch")
    assert cli.main(["demo"]) == 2
    assert "pip install torch" in capsys.readouterr().err


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([("a", "bb"), ("ccc", "d")]) == "a    bb\nccc  d"
    assert table([]) == ""


def test_the_program_runs_from_any_folder(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PVCHAT_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "device.cli.main", "person", "list", "--json"]
    done = subprocess.run(command, cwd="/", env=environ, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"people": []}
