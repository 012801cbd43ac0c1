"""The verb `daemon`, and what the others see of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from device.paths import Home
from tests.device.fake_runtime import put_bundle, short_home


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "device.cli.main", *words]


def _run(home: Home, *words: str) -> tuple[int, dict[str, Any]]:
    environ = {**os.environ, "PVCHAT_HOME": str(home.root)}
    done = subprocess.run(
        _command(*words, "--json"), env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    data = json.loads(done.stdout)
    assert isinstance(data, dict)
    return done.returncode, data


def test_the_daemon_is_seen_by_status_and_doctor_runs_once_and_ends_on_sigterm() -> None:
    with short_home() as home:
        put_bundle(home)  # it has no engines: the daemon lives on and says so
        environ = {**os.environ, "PVCHAT_HOME": str(home.root)}
        with subprocess.Popen(_command("daemon"), env=environ) as daemon:
            try:
                until_s = time.monotonic() + 30
                while (status := _run(home, "status")[1])["daemon"] is None:
                    assert time.monotonic() < until_s
                assert status["daemon"]["pid"] == daemon.pid  # the command became the daemon
                assert status["daemon"]["cameras"] == []
                code, error = _run(home, "daemon")
                assert (code, error["error"]["code"]) == (2, "usage")
                checks = {check["name"]: check for check in _run(home, "doctor")[1]["checks"]}
                assert f"pid {daemon.pid}" in checks["daemon"]["found"]
                daemon.send_signal(signal.SIGTERM)
                assert daemon.wait(30) == 0
            finally:
                daemon.kill()
        assert _run(home, "status")[1]["daemon"] is None
