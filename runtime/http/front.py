"""What stands before every route: who is let in, one line of log, one count, and the last catch for a bug.

Knows no questions: the log has routes, statuses, verdicts and times, never a word of a caller.
"""

from __future__ import annotations

import logging
import time
import traceback
import uuid
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.contract.errors import AccessError, PvchatError
from runtime.http.access import Gate
from runtime.http.metrics import Metrics
from runtime.http.problems import HttpProblem, headers_of, problem_json, status_of

GONE = 499
"""Logged where the caller went away before an answer."""
OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})
_log = logging.getLogger(__name__)


class Front:
    """Wraps the routes."""

    def __init__(self, app: ASGIApp, *, gate: Gate, metrics: Metrics, routes: frozenset[str]) -> None:
        """Take over an application.

        Args:
            routes: paths that exist; every other is logged and counted as `other`.
        """
        self._app = app
        self._gate = gate
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.monotonic()
        path = str(scope["path"])
        route = path if path in self._routes else "other"
        facts: dict[str, Any] = {"status": GONE, "request": uuid.uuid4().hex[:16]}
        scope.setdefault("state", {})["facts"] = facts

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
            await send(message)

        try:
            await self._guarded(path, scope, receive, sent, facts)
        finally:
            spent_ms = round((time.monotonic() - started_s) * 1000, 1)
            self._metrics.request(route, facts["status"])
            _log.info("request", extra={"facts": {"route": route, "ms": spent_ms, **facts}})

    async def _guarded(
        self, path: str, scope: Scope, receive: Receive, send: Send, facts: dict[str, Any]
    ) -> None:
        try:
            if path not in OPEN_TO_ALL:
                self._gate.check(Headers(scope=scope))
            await self._app(scope, receive, send)
        except AccessError as error:
            status = 403 if self._gate.token is None else 401
            await problem_response(HttpProblem(status, error))(scope, receive, send)
        except ClientDisconnect:
            facts["status"] = GONE
        except Exception as error:  # noqa: BLE001 - answered by the routes already; a log of ours says no value
            _log.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))


def problem_response(problem: HttpProblem) -> Response:
    """A problem as JSON."""
    return JSONResponse(
        problem_json(problem.error), status_code=problem.status, headers=headers_of(problem.status)
    )


def error_response(error: PvchatError) -> Response:
    """An error that is no answer, as JSON."""
    return problem_response(HttpProblem(status_of(error), error))
