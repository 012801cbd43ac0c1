"""A runtime process as the daemon sees it, with the smallest processes there are."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from device.daemon.runtime_child import RuntimeChild, RuntimeGoneError
from device.paths import Home
from runtime.contract.errors import UnavailableError
from runtime.wire import Health
from tests.device.fake_runtime import short_home


def _child(home: Home, lives_s: float) -> RuntimeChild:
    def command(bundle: Path, endpoint: str) -> list[str]:
        return [sys.executable, "-c", f"import time; time.sleep({lives_s})"]

    return RuntimeChild(home.bundles, home.socket_path("r1"), command, home.logs / "runtime.log")


def test_a_process_that_stops_listening_before_it_has_ended_is_gone_and_not_unavailable() -> None:
    with short_home() as home:
        child = _child(home, 0.4)
        try:
            with pytest.raises(RuntimeGoneError):
                child.call(Health(), 5000)
        finally:
            child.stop()


def test_a_process_that_runs_and_never_listens_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.daemon.runtime_child._ENDING_S", 0.2)
    with short_home() as home:
        child = _child(home, 60.0)
        began_s = time.monotonic()
        try:
            with pytest.raises(UnavailableError, match="nobody listens"):
                child.call(Health(), 5000)
            assert time.monotonic() - began_s < 3.0
        finally:
            child.stop(0.0)
