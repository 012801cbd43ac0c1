"""Every message of the wire as JSON schema. Knows no sockets."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec

from runtime.wire import VERSION, Reply, Request


def wire_schema() -> dict[str, Any]:
    """JSON schema (2020-12); msgpack carries the same types. Paths are text."""
    (request, reply), parts = msgspec.json.schema_components(
        [Request, Reply], schema_hook=lambda kind: {"type": "string"} if kind is Path else {}
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pvchat-edge wire, version {VERSION}",
        "request": request,
        "reply": reply,
        "$defs": _alike(parts),
    }


def _alike(part: Any) -> Any:
    """The same from every msgspec: up to 0.22 texts are indented as in the code, and `{}` is no default."""
    if isinstance(part, list):
        return [_alike(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {name: _alike(value) for name, value in part.items() if (name, value) != ("default", {})}
    text = made.get("description")
    return {**made, "description": inspect.cleandoc(text)} if isinstance(text, str) else made
