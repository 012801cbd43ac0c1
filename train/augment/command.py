"""Programs of others as commands, without a shell. Knows nothing of what they do."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from runtime.contract.errors import ContentError, UsageError


def run_command(
    name: str, words: Sequence[str], *, timeout_s: float, limit: str, told: bytes = b"",
    folder: Path | None = None,
) -> bytes:  # fmt: skip
    """What a program writes to its standard output.

    Args:
        name: of the program, in errors. limit: the setting that says how long it may take.
        told: its standard input. folder: where it is started; None: here.

    Raises:
        UsageError: it cannot be started. ContentError: it took too long, or ended with an error.
    """
    try:
        done = subprocess.run(
            words, input=told, capture_output=True, check=False, timeout=timeout_s, cwd=folder
        )
    except OSError as error:
        raise UsageError(
            f"{name}: {words[0]} cannot be started: {error.strerror}.",
            "Install it, or take it out of the configuration.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ContentError(f"{name} took longer than {timeout_s:g} s.", f"Raise {limit}.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        last = said[-1].strip() if said else "it said nothing"
        raise ContentError(f"{name} ended with {done.returncode}: {last}.", "Try its command by hand.")
    return done.stdout
