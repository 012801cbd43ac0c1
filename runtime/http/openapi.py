"""The OpenAPI document of the server, made of the types that it decodes. Knows no running server."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from runtime.contract.dialogue import Answer
from runtime.http.bodies import AskBody, ChatBody
from runtime.http.house import Listed

_REF = "#/components/schemas/{name}"
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    types = [AskBody, ChatBody, Answer, Listed]
    (ask, chat, answer, listed), schemas = msgspec.json.schema_components(types, ref_template=_REF)
    beside = {"question": _TEXT, "conversation": _TEXT, "exit_code": _WHOLE}
    schemas["Asked"] = {"allOf": [answer, _object(beside)]}
    schemas["Completion"] = _object(
        {
            "id": _TEXT, "object": _TEXT, "created": _WHOLE, "model": _TEXT,
            "choices": {"type": "array", "items": {"type": "object"}},
            "pvchat": {"allOf": [{"$ref": _REF.format(name="Asked")}, _object({"note": _TEXT})]},
        }
    )  # fmt: skip
    schemas["People"] = _object({"people": {"type": "array", "items": listed}})
    schemas["Problem"] = _object({"error": _object({"code": _TEXT, "message": _TEXT, "next_step": _TEXT})})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pvchat-edge",
            "version": "1",
            "description": "`no`, `unsure`, `unavailable` and refusals are answers (200).",
        },
        "paths": _paths(ask, chat),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _paths(ask: dict[str, Any], chat: dict[str, Any]) -> dict[str, Any]:
    return {
        "/v1/ask": {"post": _operation("ask", "Ask about the cameras or a clip", "Asked", ask)},
        "/v1/chat/completions": {
            "post": _operation("chat", "Ask as OpenAI's clients do, also about pictures", "Completion", chat)
        },
        "/v1/people": {"get": _operation("people", "Who is enrolled", "People")},
        "/v1/models": {"get": _operation("models", "The one model that OpenAI's clients find", None)},
        "/metrics": {"get": _operation("metrics", "Counters for Prometheus", None, kind="text/plain")},
        "/healthz": {"get": _operation("alive", "Whether the server is alive", None)},
        "/readyz": {"get": _operation("ready", "Whether the runtime answers and has a bundle", None)},
    }


def _operation(
    name: str,
    summary: str,
    reply: str | None,
    body: dict[str, Any] | None = None,
    *,
    kind: str = "application/json",
) -> dict[str, Any]:
    schema = {} if reply is None else {"$ref": _REF.format(name=reply)}
    said: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "done", "content": {kind: {"schema": schema}}}},
    }
    codes = {"401": "no token, or a wrong one", "403": "not for this caller", "503": "busy, or not ready"}
    if body is not None:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        codes |= {"400": "cannot be asked like this", "413": "too large"}
    problem = {"application/json": {"schema": {"$ref": _REF.format(name="Problem")}}}
    said["responses"].update({code: {"description": why, "content": problem} for code, why in codes.items()})
    return said


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}
