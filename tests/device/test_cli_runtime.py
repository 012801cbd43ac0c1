"""Starting the runtime on demand, and not letting it linger."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device.config import Limits
from device.paths import Home
from device.runtime_process import ensure_runtime, reload_if_running, stop_runtime
from runtime.client import Client
from runtime.contract.errors import BundleError, EngineError, UnavailableError
from runtime.wire import Hello
from tests.device.fake_runtime import put_bundle, serving, short_home
from tests.fakes.tiny_bundle import make_bundle

_SERVE = """
import sys, threading
from pathlib import Path
from device.paths import Home
from tests.device.fake_runtime import FakeRuntime
from runtime.router import Server

with Server(Home(Path(sys.argv[1])).runtime_endpoint, FakeRuntime("0" * 16)) as server:
    def wait():
        sys.stdin.buffer.read()
        server.stop()
    threading.Thread(target=wait, daemon=True).start()
    server.serve()
"""


def _until(true: Callable[[], bool], within_s: float) -> bool:
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if true():
            return True
        time.sleep(0.05)
    return False


def _kept(home: Home, idle_exit_s: float) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "device.idle_runtime", "--socket", home.runtime_endpoint,
        "--idle-exit-s", str(idle_exit_s), "--", sys.executable, "-c", _SERVE, str(home.root),
    ]  # fmt: skip
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())})


@contextmanager
def _killed_at_last(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()


def _listens(home: Home) -> bool:
    try:
        with Client(home.runtime_endpoint) as client:
            client.call(Hello(), 1000)
    except UnavailableError:
        return False
    return True


def test_a_runtime_that_nobody_uses_ends_by_itself() -> None:
    with short_home() as home, _kept(home, 2.0) as keeper:
        with _killed_at_last(keeper):
            assert _until(lambda: _listens(home), 20)
            assert keeper.wait(30) == 0
        assert not home.socket_path("runtime").exists()


def test_a_runtime_ends_with_its_keeper_even_when_that_is_killed() -> None:
    with short_home() as home, _kept(home, 600.0) as keeper:
        with _killed_at_last(keeper):
            assert _until(lambda: _listens(home), 20)
        keeper.wait(10)
        assert _until(lambda: not home.socket_path("runtime").exists(), 20)


def test_the_keeper_passes_on_the_exit_code_of_a_runtime_that_fails() -> None:
    with short_home() as home:
        command = [
            sys.executable, "-m", "device.idle_runtime", "--socket", home.runtime_endpoint,
            "--idle-exit-s", "60", "--", sys.executable, "-c", "raise SystemExit(4)",
        ]  # fmt: skip
        assert subprocess.run(command, check=False, timeout=30).returncode == 4


def test_a_runtime_that_cannot_load_is_one_error_with_its_last_words() -> None:
    with short_home() as home:
        put_bundle(home)  # it has no engines
        with pytest.raises(EngineError, match=r"the runtime did not start: .+"):
            ensure_runtime(home, [], Limits())
        assert (home.logs / "runtime.log").stat().st_mode & 0o777 == 0o600
        assert stop_runtime(home) is False


_START = """
import sys
from pathlib import Path
from device.config import Limits
from device.paths import Home
from device.runtime_process import ensure_runtime

with ensure_runtime(Home(Path(sys.argv[1])), [], Limits()) as runtime:
    print(runtime.ready.pid)
"""


def test_a_runtime_outlives_who_started_it_without_a_warning() -> None:
    with short_home() as home:
        bundle = make_bundle(home.root / "made")
        bundle.root.rename(home.bundles / bundle.bundle_id)
        (home.bundles / "current").write_text(bundle.bundle_id)
        command = [sys.executable, "-W", "error::ResourceWarning", "-c", _START, str(home.root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        try:
            assert (done.returncode, done.stderr) == (0, "")
            assert Path(f"/proc/{int(done.stdout)}").exists()
        finally:
            assert stop_runtime(home)


def test_without_a_bundle_there_is_no_runtime() -> None:
    with short_home() as home:
        (home.bundles / "current").write_text("0123456789abcdef")
        with pytest.raises(BundleError, match="no bundle"):
            ensure_runtime(home, [], Limits())


def test_a_process_that_is_no_runtime_of_ours_is_not_stopped() -> None:
    with short_home() as home, serving(home) as fake:
        fake.bundle_id = "f" * 16  # another bundle than the current one, in this very process
        with pytest.raises(UnavailableError, match="no runtime of ours"):
            ensure_runtime(home, [], Limits())


def test_a_running_runtime_is_used_and_not_started_again() -> None:
    with short_home() as home, serving(home):
        assert reload_if_running(home, []) is True
        with ensure_runtime(home, [], Limits()) as runtime:
            assert runtime.ready.pid == os.getpid()
        assert not (home.logs / "runtime.log").exists()
