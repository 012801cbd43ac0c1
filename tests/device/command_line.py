"""The real command line, as processes of a home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from device.paths import Home


def command(*words: str) -> list[str]:
    """`pvchat-edge` with these words."""
    return [sys.executable, "-m", "device.cli.main", *words]


def environment(home: Home) -> dict[str, str]:
    """This process's own, in another home."""
    return {**os.environ, "PVCHAT_HOME": str(home.root)}


def run_json(home: Home, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and what --json printed."""
    done = subprocess.run(
        command(*words, "--json"),
        env=environment(home), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    data = json.loads(done.stdout)
    assert isinstance(data, dict)
    return done.returncode, data
