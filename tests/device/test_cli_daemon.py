"""The verb `daemon`, and what the others see of it."""

from __future__ import annotations

import signal
import subprocess
import time

from tests.device.command_line import command, environment, run_json
from tests.device.fake_runtime import put_bundle, short_home


def test_the_daemon_is_seen_by_status_and_doctor_runs_once_and_ends_on_sigterm() -> None:
    with short_home() as home:
        put_bundle(home)  # it has no engines: the daemon lives on and says so
        with subprocess.Popen(command("daemon"), env=environment(home)) as daemon:
            try:
                until_s = time.monotonic() + 30
                while (status := run_json(home, "status")[1])["daemon"] is None:
                    assert time.monotonic() < until_s
                assert status["daemon"]["pid"] == daemon.pid  # the command became the daemon
                assert status["daemon"]["cameras"] == []
                code, error = run_json(home, "daemon")
                assert (code, error["error"]["code"]) == (2, "usage")
                checks = {check["name"]: check for check in run_json(home, "doctor")[1]["checks"]}
                assert f"pid {daemon.pid}" in checks["daemon"]["found"]
                daemon.send_signal(signal.SIGTERM)
                assert daemon.wait(30) == 0
            finally:
                daemon.kill()
        assert run_json(home, "status")[1]["daemon"] is None
