"""`daemon`: becomes the long-running process of the home. Knows nothing of what it does."""

from __future__ import annotations

import argparse
import os
import sys

from device.bundles import child_environment
from device.cli.output import Output
from device.config import load_config
from device.daemon_client import daemon_status
from device.paths import Home
from device.runtime_process import stop_runtime
from runtime.contract.errors import UnavailableError, UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Everything else is in the settings file."""


def run(args: argparse.Namespace, out: Output) -> int:
    """Replaces this process, so that signals and the exit code are the daemon's own."""
    home = Home.from_environment()
    load_config(home.config_file)
    try:
        status = daemon_status(home)
    except UnavailableError:
        status = None
    if status is not None:
        raise UsageError(f"a daemon runs already (pid {status.pid}).", "See `pvchat-edge status`.")
    stop_runtime(home)  # one that a command started: the daemon starts its own
    command = [sys.executable, "-m", "device.daemon"]
    os.execve(sys.executable, command, child_environment())  # noqa: S606 - our own interpreter, no shell
