"""Tries an adapter out in a process of its own before it is installed. Knows no repository and no store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import runtime
from runtime.contract.errors import UpdateError

SelfTest = Callable[[Path, Path], str]
"""Takes the bundle's folder and the adapter file; says what is wrong with the adapter, "" if it is fit."""

TIMEOUT_S = 180
_PROBLEMS = 5
_TAIL_CHARS = 300


def run_self_test(bundle: Path, adapter: Path) -> str:
    """`python -m runtime selftest BUNDLE --adapter FILE`: golden clips and canary with this adapter in place.

    Returns:
        What the test found wrong with the adapter; empty when it passed.

    Raises:
        UpdateError: the test did not finish or could not run, or the bundle fails without the adapter too:
            that says nothing about the adapter.
    """
    problems = _run(bundle, "--adapter", str(adapter))
    if problems and (without := _run(bundle)):
        raise UpdateError(
            f"the installed bundle fails its own self-test: {without}", "Run `pvchat-edge doctor`."
        )
    return problems


def _run(bundle: Path, *options: str) -> str:
    """The problems, one a line; they are on stdout, while a test that could not run says so on stderr."""
    command = [sys.executable, "-m", "runtime", "selftest", str(bundle), *options]
    program = Path(str(runtime.__file__)).resolve().parents[1]  # the same code that runs here
    try:
        done = subprocess.run(command, cwd=program, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UpdateError(
            f"the self-test did not finish: {error}.", "Try again when the box is idle."
        ) from error
    problems = done.stdout.decode(errors="replace").strip()
    if done.returncode == 0 and not problems:
        return ""
    if done.returncode == _PROBLEMS and problems:
        return problems[:_TAIL_CHARS]
    said = done.stderr.decode(errors="replace").strip()[-_TAIL_CHARS:]
    raise UpdateError(
        f"the self-test could not run (code {done.returncode}): {said}", "Run `pvchat-edge doctor`."
    )
