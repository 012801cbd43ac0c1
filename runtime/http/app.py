"""The routes: chat, questions, people, metrics, health. Knows no home and no engines: the desk does."""

from __future__ import annotations

import dataclasses
import time
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from runtime.contract.errors import PvchatError, UnavailableError, UsageError
from runtime.http.access import Gate
from runtime.http.answers import MODEL, Said, answer_json, chat_events, chat_json
from runtime.http.bodies import AskBody, ChatBody, asked_of, decode_body, read_body
from runtime.http.desk import Desk
from runtime.http.front import Front, error_response, problem_response
from runtime.http.metrics import CONTENT_TYPE, Metrics
from runtime.http.openapi import document
from runtime.http.problems import HttpProblem

Body = TypeVar("Body", AskBody, ChatBody)


class Routes:
    """One method a route."""

    def __init__(self, desk: Desk, metrics: Metrics) -> None:
        self._desk = desk
        self._metrics = metrics

    async def ask(self, request: Request) -> Response:
        """POST /v1/ask."""
        body, said = await self._answered(request, AskBody)
        return JSONResponse(answer_json(body.question, said))

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        body, said = await self._answered(request, ChatBody)
        completion = chat_json(body.messages[-1].text, said, created=int(time.time()))
        if body.stream:
            return Response(chat_events(completion), media_type="text/event-stream")
        return JSONResponse(completion)

    async def people(self, request: Request) -> Response:
        """GET /v1/people."""
        people = await self._desk.people()
        return JSONResponse({"people": [dataclasses.asdict(one) for one in people]})

    async def models(self, request: Request) -> Response:
        """GET /v1/models: what OpenAI's clients look up before they ask."""
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
        return JSONResponse({"object": "list", "data": [model]})

    async def metrics(self, request: Request) -> Response:
        """GET /metrics."""
        try:
            health = await self._desk.health()
        except UnavailableError:
            health = None
        return Response(self._metrics.text(health), media_type=CONTENT_TYPE)

    async def alive(self, request: Request) -> Response:
        """GET /healthz: this process is alive."""
        return JSONResponse({"alive": True})

    async def ready(self, request: Request) -> Response:
        """GET /readyz: the runtime answers, and has a bundle."""
        try:
            health = await self._desk.health()
        except UnavailableError as error:
            return problem_response(HttpProblem(503, error))
        return JSONResponse({"ready": True, "bundle": health.bundle_id})

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json."""
        return JSONResponse(document())

    async def _answered(self, request: Request, kind: type[Body]) -> tuple[Body, Said]:
        """Read, check and answer one question, and count how it ended."""
        started_s = time.monotonic()
        try:
            with self._desk.place():
                _check_kind(request)
                body = decode_body(
                    await read_body(request.stream(), request.headers.get("content-length")), kind
                )
                said = await self._desk.ask(asked_of(body))
        except (PvchatError, HttpProblem) as error:
            inner = error.error if isinstance(error, HttpProblem) else error
            self._metrics.error(inner, time.monotonic() - started_s)
            request.state.facts["error"] = inner.code
            raise
        self._metrics.answer(said.answer, time.monotonic() - started_s, expired=said.expired)
        request.state.facts.update(kind=said.answer.kind, verdict=said.answer.verdict)
        return body, said


def make_app(desk: Desk, gate: Gate) -> ASGIApp:
    """The whole application around one desk."""
    metrics = Metrics()
    routes = Routes(desk, metrics)
    table = [
        Route("/v1/chat/completions", routes.chat, methods=["POST"]),
        Route("/v1/ask", routes.ask, methods=["POST"]),
        Route("/v1/people", routes.people),
        Route("/v1/models", routes.models),
        Route("/metrics", routes.metrics),
        Route("/healthz", routes.alive),
        Route("/readyz", routes.ready),
        Route("/openapi.json", routes.openapi),
    ]
    app = Starlette(
        routes=table,
        exception_handlers={
            PvchatError: _error,
            HttpProblem: _problem,
            HTTPException: _no_route,
            Exception: _bug,
        },
    )
    return Front(app, gate=gate, metrics=metrics, routes=frozenset(route.path for route in table))


def _check_kind(request: Request) -> None:
    """A form that a web page sends without asking first is no question."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UsageError("the request is no application/json.", "Send `Content-Type: application/json`.")


async def _error(request: Request, error: Exception) -> Response:
    if not isinstance(error, PvchatError):
        raise error
    return error_response(error)


async def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, HttpProblem):
        raise error
    return problem_response(error)


async def _bug(request: Request, error: Exception) -> Response:
    """Says its kind, never a value: messages of foreign errors may hold private data."""
    return error_response(
        PvchatError(f"internal error ({type(error).__name__}).", "The log of the server says where.")
    )


async def _no_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return problem_response(
        HttpProblem(error.status_code, UsageError("there is no such route and method.", "See /openapi.json."))
    )
