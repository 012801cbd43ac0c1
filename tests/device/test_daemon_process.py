"""Claims about `python -m device.daemon` as a process: it starts, stops and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.client import Client
from runtime.contract.errors import UnavailableError
from runtime.wire import DaemonStop, Done
from tests.device.daemon_world import ROOT, World, children_of, is_running, own_rings, short_world, wait_for

STOP_WITHIN_S = 20  # about one second on an idle machine; test machines are not idle


@pytest.fixture
def home() -> Iterator[World]:
    """Two cameras, nobody enrolled, and a bundle without engines: the real runtime ends when it loads it."""
    with short_world({"kitchen-1": "kitchen", "sofa": "living room"}, ("kitchen", "living room")) as made:
        yield made


@contextmanager
def running(home: World) -> Iterator[subprocess.Popen[bytes]]:
    """The real command, serving; whatever happens, it is gone afterwards."""
    command = [sys.executable, "-m", "device.daemon", "--home", str(home.home.root)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            wait_for(lambda: _serves(home))
            yield process
        finally:
            process.kill()


def _serves(home: World) -> bool:
    try:
        return home.status().pid > 0
    except UnavailableError:
        return False


def wait_until_live(home: World) -> None:
    """Every camera live."""
    wait_for(lambda: set(home.states().values()) == {"live"})


def test_sigterm_ends_everything_within_five_seconds(home: World) -> None:
    rings = own_rings()
    with running(home) as process:
        wait_until_live(home)
        children = children_of(process.pid)
        assert len(children) >= 2
        assert len(own_rings() - rings) == 2
        process.terminate()
        assert process.wait(STOP_WITHIN_S) == 0
        assert [pid for pid in children if is_running(pid)] == []
        assert own_rings() <= rings
        assert list(home.home.run.glob("*.sock")) == []


def test_sigterm_ends_a_camera_that_hangs_too(home: World) -> None:
    with running(home) as process:
        wait_until_live(home)
        children = children_of(process.pid)
        os.kill(children[0], signal.SIGSTOP)
        process.terminate()
        assert process.wait(STOP_WITHIN_S) == 0
        assert [pid for pid in children if is_running(pid)] == []


def test_a_daemon_that_is_killed_leaves_no_orphan_and_no_ring(home: World) -> None:
    rings = own_rings()
    with running(home) as process:
        wait_until_live(home)
        children = children_of(process.pid)
        process.kill()
        process.wait()
        wait_for(lambda: not any(is_running(pid) for pid in children), 5)
        assert own_rings() <= rings


def test_the_next_daemon_starts_where_a_killed_one_was(home: World) -> None:
    with running(home) as first:
        wait_until_live(home)
        first.kill()
    with running(home) as second:
        wait_until_live(home)
        second.terminate()
        assert second.wait(STOP_WITHIN_S) == 0


def test_a_second_daemon_for_the_same_home_is_refused(home: World) -> None:
    with running(home):
        second = _run_daemon(home)
        assert second.returncode == 4
        assert b"already listens" in second.stderr
        wait_until_live(home)


def test_stop_through_the_socket_ends_it(home: World) -> None:
    with running(home) as process, Client(home.home.daemon_endpoint) as client:
        assert client.call(DaemonStop(), 2000) == Done()
        assert process.wait(STOP_WITHIN_S) == 0


def test_its_log_is_private_and_no_password_is_shown_anywhere(home: World) -> None:
    text = home.home.config_file.read_text(encoding="utf-8")
    url = 'kind = "rtsp"\nurl = "rtsp://anna:secret@127.0.0.1:9/stream"'
    extra = f'[[cameras]]\nname = "door"\nroom = "kitchen"\n{url}\n[limits]'
    home.home.config_file.write_text(text.replace("[limits]", extra), encoding="utf-8")
    with running(home) as process:
        wait_for(lambda: any("cannot open rtsp://" in note for note in home.status().notes))
        assert home.states()["door"] == "down"
        pids = [process.pid, *children_of(process.pid)]
        shown = b"".join(_arguments(pid) for pid in pids)
        shown += " ".join(home.status().notes).encode()
    logs = list(home.home.logs.iterdir())
    assert [path.name for path in logs if path.stat().st_mode & 0o077] == []
    shown += b"".join(path.read_bytes() for path in logs)
    assert b"cannot open rtsp://" in shown
    assert b"secret" not in shown
    assert b"anna" not in shown


def test_daemon_and_runtime_log_json_lines_when_the_settings_say_so(home: World) -> None:
    text = home.home.config_file.read_text(encoding="utf-8")
    home.home.config_file.write_text(f'log = "json"\n{text}', encoding="utf-8")
    with running(home) as process:
        wait_for(lambda: home.status().runtime == "down")
        process.terminate()
        assert process.wait(STOP_WITHIN_S) == 0
    lines = (home.home.logs / "daemon.log").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert {"at", "level", "logger", "message"} == {key for record in records for key in record}
    assert records[-1]["message"] == "stopped"


def _arguments(pid: int) -> bytes:
    """Of a process, as everybody can read them; empty when it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_wrong_settings_are_a_usage_error(home: World) -> None:
    home.home.config_file.write_text("rums = []", encoding="utf-8")
    refused = _run_daemon(home)
    assert refused.returncode == 2
    assert b"Did you mean 'rooms'?" in refused.stderr


def _run_daemon(home: World) -> subprocess.CompletedProcess[bytes]:
    """A daemon that is expected to end by itself."""
    command = [sys.executable, "-m", "device.daemon", "--home", str(home.home.root)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=20, check=False)
