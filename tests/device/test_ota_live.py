"""The self-test's process and the running daemon, over real processes and real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from device.ota.live import LiveBox
from device.ota.selftest import run_self_test
from device.paths import Home
from runtime.contract.errors import AdapterError, EngineError, PvchatError, UnavailableError, UpdateError
from runtime.contract.serving import Deadline
from runtime.router import Server
from runtime.wire import (
    DaemonReload,
    DaemonStatus,
    DaemonStatusReply,
    Done,
    Health,
    HealthReply,
    Reply,
    Request,
)
from tests.device.ota_world import GRANDMA, TOM, World

_PROGRAM = """#!/bin/sh
case "$*" in *--adapter*) {with_adapter} ;; *) {without} ;; esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "h").create()


@pytest.mark.parametrize(
    ("with_adapter", "without", "said"),
    [
        ("exit 0", "exit 1", ""),
        ("echo clip 3 differs; exit 5", "exit 0", "clip 3 differs"),
    ],
)
def test_self_test_tells_a_fit_adapter_from_an_unfit_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_adapter: str, without: str, said: str
) -> None:
    _program(tmp_path, monkeypatch, with_adapter, without)
    assert run_self_test(tmp_path / "bundle", tmp_path / "adapter") == said


@pytest.mark.parametrize(
    ("with_adapter", "without", "why"),
    [
        ("echo clip 3 differs; exit 5", "echo clip 3 differs; exit 5", "bundle fails its own self-test"),
        ("echo no engine >&2; exit 5", "exit 0", "could not run .code 5.: no engine"),
        ("kill -9 $$", "exit 0", "could not run .code -9."),
        ("exec sleep 30", "exit 0", "did not finish"),
    ],
)
def test_self_test_that_says_nothing_about_the_adapter_does_not_condemn_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_adapter: str, without: str, why: str
) -> None:
    monkeypatch.setattr("device.ota.selftest.TIMEOUT_S", 0.5)
    _program(tmp_path, monkeypatch, with_adapter, without)
    with pytest.raises(UpdateError, match=why):
        run_self_test(tmp_path / "bundle", tmp_path / "adapter")


def test_real_self_test_process_refuses_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match=r"could not run .code 5.: .*no bundle at"):
        run_self_test(tmp_path / "bundle", tmp_path / "adapter")


def test_update_whose_self_test_cannot_run_is_refused_and_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.home.bundles / "toy" / "stray").write_bytes(b"x")  # the real self-test verifies the bundle first
    world.publish(2)
    for _ in range(2):
        with pytest.raises(UpdateError, match="is damaged: stray is not in the manifest"):
            world.apply(self_test=run_self_test)
    assert world.active().release == 1


def test_box_without_a_daemon_has_nothing_to_reload(home: Home) -> None:
    assert not LiveBox(home).running()
    home.socket_path("daemon").write_bytes(b"")
    assert not LiveBox(home).running()


def test_daemon_that_takes_the_adapter_and_stays_well_passes_the_watch(home: Home) -> None:
    box = _Box({GRANDMA: 2})
    with box.served(home):
        live = LiveBox(home, watch_s=0.3)
        assert live.running()
        live.reload({GRANDMA: 2})
    assert box.reloads == 1


def test_refused_adapter_of_somebody_else_does_not_fail_the_watch(home: Home) -> None:
    box = _Box({GRANDMA: 2}, problem=AdapterError("adapter of s99 was made for another base."))
    with box.served(home):
        LiveBox(home, watch_s=0.1).reload({GRANDMA: 2})
        with pytest.raises(AdapterError):
            LiveBox(home, watch_s=0.1).reload({TOM: 2})


def test_runtime_that_restarts_under_the_new_adapter_fails_the_watch(home: Home) -> None:
    box = _Box({GRANDMA: 2}, uptimes_s=[100.0, 0.1])
    with box.served(home), pytest.raises(EngineError, match="was started again"):
        LiveBox(home, watch_s=5).reload({GRANDMA: 2})


def test_adapter_that_is_never_taken_fails_the_watch(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.ota.live.SETTLE_S", 0.2)
    with _Box({GRANDMA: 1}).served(home), pytest.raises(UnavailableError, match="has not taken"):
        LiveBox(home).reload({GRANDMA: 2})


def test_runtime_that_is_down_is_nothing_to_watch(home: Home) -> None:
    with _Box({}, runtime="down").served(home):
        assert not LiveBox(home).running()


class _Box:
    """Handlers in place of daemon and runtime."""

    def __init__(
        self,
        subjects: dict[str, int],
        *,
        runtime: str = "ready",
        problem: PvchatError | None = None,
        uptimes_s: list[float] | None = None,
    ) -> None:
        self._status = DaemonStatusReply(
            pid=1, uptime_s=1.0, rss_mib=1.0, runtime=runtime, bundle_id="b", base="b", subjects=subjects
        )
        self._problem = problem
        self._uptimes_s = uptimes_s or [1.0]
        self.reloads = 0

    def handle(self, request: Request, deadline: Deadline) -> Reply:
        """Both servers' verbs."""
        if isinstance(request, DaemonStatus):
            return self._status
        if isinstance(request, DaemonReload):
            self.reloads += 1
            if self._problem is not None:
                raise self._problem
            return Done()
        assert isinstance(request, Health)
        uptime_s = self._uptimes_s.pop(0) if len(self._uptimes_s) > 1 else self._uptimes_s[0]
        return HealthReply(
            bundle_id="b", uptime_s=uptime_s, served=0, failed=0, expired=0, refused=0, queue=0, rss_mib=1.0
        )

    @contextmanager
    def served(self, home: Home) -> Iterator[None]:
        """Real sockets at the home's addresses."""
        with ExitStack() as stack:
            for endpoint in (home.daemon_endpoint, home.runtime_endpoint):
                server = stack.enter_context(Server(endpoint, self.handle))
                thread = threading.Thread(target=server.serve)
                thread.start()
                stack.callback(thread.join)
                stack.callback(server.stop)
            yield


def _program(folder: Path, monkeypatch: pytest.MonkeyPatch, with_adapter: str, without: str) -> None:
    """A program in place of the Python that runs the self-test."""
    path = folder / "python"
    path.write_text(_PROGRAM.format(with_adapter=with_adapter, without=without))
    path.chmod(0o755)
    monkeypatch.setattr("device.ota.selftest.sys.executable", str(path))
