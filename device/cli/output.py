"""What a command says: answers on stdout, hints on stderr, or one JSON object. Knows no command."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.contract.errors import PvchatError

PROGRAM = "pvchat-edge"


@dataclass(frozen=True, slots=True)
class Output:
    """Where results and hints go.

    Attributes:
        as_json: print one JSON object instead of text.
    """

    as_json: bool

    def result(self, data: Mapping[str, Any], text: str) -> None:
        """The command's result, once: `data` with --json, else `text`."""
        print(json.dumps(data, ensure_ascii=False, default=str) if self.as_json else text, flush=True)

    def hint(self, text: str) -> None:
        """Progress, or something worth knowing."""
        print(text, file=sys.stderr, flush=True)

    def error(self, error: PvchatError) -> None:
        """One line on stderr; with --json also an object on stdout."""
        print(f"{PROGRAM}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        if self.as_json:
            said = {"code": error.code, "message": error.message, "next_step": error.next_step}
            print(json.dumps({"error": said}, ensure_ascii=False), flush=True)


def table(rows: Sequence[tuple[str, ...]], *, header: tuple[str, ...] = ()) -> str:
    """Columns as wide as their widest cell, two spaces between."""
    lines = [header, *rows] if header else rows
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
