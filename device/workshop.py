"""Starts the workshop's programs as child processes. Knows nothing of what they do."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence

from device.bundles import child_environment
from runtime.contract.errors import UsageError


def run_workshop(what: str, module: str, arguments: Sequence[str], needed: Sequence[str]) -> int:
    """The program's own exit code; its output goes straight through.

    Args:
        what: the verb, for the error. module: as after `python -m`. needed: packages that it imports.

    Raises:
        UsageError: a package is not installed.
    """
    for name in (*needed, module):
        if not installed(name):
            raise UsageError(
                f"{what} needs {name}, which is not installed.",
                "Run `pip install torch==2.13.0` and then `pip install 'pvchat-edge[export]'`.",
            )
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=child_environment(), check=False).returncode


def installed(name: str) -> bool:
    """Whether a package or module is there, without importing it."""
    package = name.split(".", maxsplit=1)[0]
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(name) is not None
