"""Requests as lines of JSON, a reply for each: for programs that score a bundle. Knows no sockets.

The messages are those of the socket (docs/wire.schema.json). One caller, one request at a time, no deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from runtime.contract.errors import PvchatError, WireError
from runtime.contract.serving import Deadline
from runtime.wire import (
    MAX_DEADLINE_MS,
    MAX_MESSAGE_BYTES,
    Reply,
    Request,
    reply_to_line,
    request_from_line,
    to_error_reply,
)


def serve_lines(source: BinaryIO, sink: BinaryIO, handle: Callable[[Request, Deadline], Reply]) -> int:
    """Answer every line until the source ends; a bad one is answered with an error.

    Returns:
        how many lines were answered.
    """
    count = 0
    while line := source.readline(MAX_MESSAGE_BYTES + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = source.readline(MAX_MESSAGE_BYTES + 1)
        sink.write(reply_to_line(_reply(line, handle)) + b"\n")
        sink.flush()
        count += 1
    return count


def _reply(line: bytes, handle: Callable[[Request, Deadline], Reply]) -> Reply:
    try:
        if len(line) > MAX_MESSAGE_BYTES:
            raise WireError(f"line has more than {MAX_MESSAGE_BYTES} bytes.", "Send less at once.")
        return handle(request_from_line(line), lambda: MAX_DEADLINE_MS / 1000)
    except PvchatError as error:
        return to_error_reply(error)
