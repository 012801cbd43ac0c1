"""How log lines are written: as text, or one JSON object a line. Knows no files and no processes."""

from __future__ import annotations

import json
import logging
import time
from typing import Literal

LogFormat = Literal["text", "json"]
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger and either the `facts` of a record or its message."""

    def format(self, record: logging.LogRecord) -> str:
        """Text without its end."""
        facts = getattr(record, "facts", None)
        said = facts if facts is not None else {"message": record.getMessage()}
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return json.dumps({"at": at, "level": record.levelname, "logger": record.name, **said})


def log_formatter(log_format: LogFormat) -> logging.Formatter:
    """What a handler of this process writes its lines with."""
    return JsonLines() if log_format == "json" else logging.Formatter(_TEXT)
