"""`demo`: starts the workshop's demo as a child process. Knows nothing of what it does."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys

from device.bundles import child_environment
from device.cli.output import Output
from runtime.contract.errors import UsageError

_NEEDED = ("torch", "train.demo")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Everything is handed on."""
    parser.add_argument("rest", nargs="*", metavar="ARG", help="handed on to the demo (after --)")


def run(args: argparse.Namespace, out: Output) -> int:
    """The demo's own exit code; its output goes straight through."""
    for name in _NEEDED:
        if not _installed(name):
            raise UsageError(
                f"the demo needs {name}, which is not installed.",
                "Run `pip install torch==2.13.0` and then `pip install 'pvchat-edge[export]'`.",
            )
    command = [sys.executable, "-m", "train.demo", *args.rest]
    return subprocess.run(command, env=child_environment(), check=False).returncode


def _installed(name: str) -> bool:
    package = name.split(".", maxsplit=1)[0]
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(name) is not None
