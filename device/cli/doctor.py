"""`doctor`: is everything in place? A table, and the next step for what is not."""

from __future__ import annotations

import argparse
import dataclasses

from device.checkup import Check, run_checks
from device.cli.output import Output, table
from device.daemon_client import daemon_status
from device.paths import Home
from runtime.contract.errors import PvchatError

EXIT_UNWELL = 5
_MARKS = {"ok": "ok", "warn": "WARN", "fail": "FAIL"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 0, or 5 when something fails; warnings do not count."""
    home = Home.from_environment()
    checks = [*run_checks(home), _check_daemon(home)]
    failed = [check for check in checks if check.state == "fail"]
    rows = [
        (_MARKS[check.state], check.name, f"{check.found}  {check.next_step}".strip()) for check in checks
    ]
    data = {"ok": not failed, "checks": [dataclasses.asdict(check) for check in checks]}
    out.result(data, table(rows))
    return EXIT_UNWELL if failed else 0


def _check_daemon(home: Home) -> Check:
    try:
        status = daemon_status(home)
    except PvchatError as error:
        return Check("daemon", "warn", error.message, error.next_step)
    live = sum(camera.state == "live" for camera in status.cameras)
    found = f"pid {status.pid}, {live} of {len(status.cameras)} cameras live, runtime {status.runtime}"
    return Check("daemon", "warn" if status.notes else "ok", found, " ".join(status.notes[:1]))
