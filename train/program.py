"""How a program of the workshop ends: one line of JSON, or one error and its exit code. Knows no work."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runtime.contract.errors import PvchatError


def run_program(name: str, work: Callable[[], Mapping[str, Any]], json_file: Path | None = None) -> int:
    """Do the work and print what it returns as one line of JSON.

    Args:
        name: of the program, before an error's message.
        json_file: the line is written here, too.

    Returns:
        0, or the exit code of the error that ended the work.
    """
    try:
        line = json.dumps(work())
        if json_file is not None:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(line + "\n", encoding="utf-8")
    except PvchatError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return error.exit_code
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return 0
