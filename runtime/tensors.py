"""Safetensors with one JSON object about them. Knows not what the arrays mean.

The JSON lies in the file's metadata under `pvchat`. Size and header are capped before anything is parsed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from runtime.contract.errors import AdapterError

MAX_FILE_BYTES = 64 << 20
MAX_HEADER_BYTES = 64 << 10
_KEY = "pvchat"


def pack(arrays: Mapping[str, NDArray[np.float32]], about: Mapping[str, Any]) -> bytes:
    """The file's bytes; equal contents give equal bytes."""
    ordered = {name: arrays[name] for name in sorted(arrays)}
    return bytes(safetensors.numpy.save(ordered, metadata={_KEY: json.dumps(about, sort_keys=True)}))


def unpack(
    raw: bytes, what: str, newest_schema: int, next_step: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and the object about them, whose `schema` this program reads.

    Args:
        what: what the file is, for errors, such as `adapter`.

    Raises:
        AdapterError: too large, damaged, without its JSON, or of a newer schema.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise AdapterError(f"an {what} has at most {MAX_FILE_BYTES} bytes, this file has {len(raw)}.")
    about = _about(raw, what, next_step)
    try:
        arrays = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise AdapterError(f"the {what} file is damaged: {error}.", next_step) from error
    schema = about.get("schema")
    if type(schema) is not int or schema < 1:
        raise AdapterError(f"the {what} has no schema number but {schema!r}.", next_step)
    if schema > newest_schema:
        raise AdapterError(
            f"the {what} has schema {schema}, this program reads up to {newest_schema}.",
            "Update pvchat-edge.",
        )
    return dict(arrays), about


def read_capped(path: Path, what: str, next_step: str) -> bytes:
    """A file's bytes.

    Raises:
        AdapterError: it cannot be read, or is larger than such a file may be.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AdapterError(f"an {what} has at most {MAX_FILE_BYTES} bytes, {path.name} has more.")
        return path.read_bytes()
    except OSError as error:
        raise AdapterError(f"cannot read the {what} {path}: {error.strerror}.", next_step) from error


def _about(raw: bytes, what: str, next_step: str) -> dict[str, Any]:
    if len(raw) < 8:
        raise AdapterError(f"the {what} file is damaged: {len(raw)} bytes.", next_step)
    (size,) = struct.unpack("<Q", raw[:8])
    if size > min(MAX_HEADER_BYTES, len(raw) - 8):
        raise AdapterError(f"the {what}'s header claims {size} bytes.", next_step)
    try:
        about = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"][_KEY])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AdapterError(f"the {what} file has no pvchat metadata.", next_step) from error
    if not isinstance(about, dict):
        raise AdapterError(f"the {what}'s metadata is no table.", next_step)
    return about
