"""Errors as HTTP says them: a status and the error tree's own words. Knows no routes."""

from __future__ import annotations

from typing import Any

from runtime.contract.errors import AccessError, BusyError, ContentError, PvchatError, UsageError

RETRY_S = 2


class HttpProblem(Exception):  # noqa: N818 - the status decides, not the class
    """A problem that HTTP has a status of its own for."""

    def __init__(self, status: int, error: PvchatError) -> None:
        super().__init__(status)
        self.status = status
        self.error = error


def status_of(error: PvchatError) -> int:
    """The status of an error that is no answer."""
    if isinstance(error, BusyError):
        return 503
    if isinstance(error, AccessError):
        return 403
    return 400 if isinstance(error, (UsageError, ContentError)) else 500


def headers_of(status: int) -> dict[str, str]:
    """What a client has to know beside the words."""
    if status == 503:
        return {"Retry-After": str(RETRY_S)}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}


def problem_json(error: PvchatError) -> dict[str, Any]:
    """As `ask --json` prints an error."""
    return {"error": {"code": error.code, "message": error.message, "next_step": error.next_step}}
