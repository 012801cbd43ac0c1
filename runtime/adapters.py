"""Adapters as .safetensors files. Knows no subjects' names and no engines.

One file holds one subject's arrays and, in its metadata under `pvchat`, JSON with schema, subject id, base,
kind and release. Size and header are capped before anything is parsed.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors
import safetensors.numpy

from runtime.atomic import write_atomic
from runtime.contract.adapter import ADAPTER_SCHEMA, PERSON_SOURCES, Adapter, check_adapter
from runtime.contract.errors import AdapterError

MAX_FILE_BYTES = 64 << 20
MAX_HEADER_BYTES = 64 << 10
_KEY = "pvchat"
_UNIT_WITHIN = 1e-2
_DAMAGED = "Enrol this person again, or copy the file again."


def adapter_to_bytes(adapter: Adapter) -> bytes:
    """The file's bytes; equal adapters give equal bytes."""
    about = {
        "schema": ADAPTER_SCHEMA,
        "subject_id": adapter.subject_id,
        "base": adapter.base,
        "kind": adapter.kind,
        "release": adapter.release,
    }
    arrays = {name: adapter.arrays[name] for name in sorted(adapter.arrays)}
    return bytes(safetensors.numpy.save(arrays, metadata={_KEY: json.dumps(about, sort_keys=True)}))


def adapter_from_bytes(raw: bytes) -> Adapter:
    """Read a file's bytes; whether it fits a base is `check_adapter`'s question.

    Raises:
        AdapterError: too large, damaged, without its metadata, or of a newer schema.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise AdapterError(f"an adapter has at most {MAX_FILE_BYTES} bytes, this file has {len(raw)}.")
    about = _about(raw)
    try:
        arrays = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise AdapterError(f"the adapter file is damaged: {error}.", _DAMAGED) from error
    schema = about.get("schema")
    if type(schema) is not int or schema < 1:
        raise AdapterError(f"the adapter has no schema number but {schema!r}.", _DAMAGED)
    if schema > ADAPTER_SCHEMA:
        raise AdapterError(
            f"the adapter has schema {schema}, this program reads up to {ADAPTER_SCHEMA}.",
            "Update pvchat-edge.",
        )
    kind: Literal["instant", "trained"]
    match about:
        case {"subject_id": str(subject_id), "base": str(base), "kind": "instant" | "trained" as kind}:
            release = about.get("release")
        case _:
            raise AdapterError("the adapter does not say whom it is for, its base and its kind.", _DAMAGED)
    if type(release) is not int:
        raise AdapterError(f"the adapter has no release number but {release!r}.", _DAMAGED)
    return Adapter(subject_id, base, kind, release, arrays)


def read_adapter(path: Path, *, base: str, shapes: dict[str, int]) -> tuple[Adapter, bytes]:
    """A checked adapter and its file's bytes.

    Raises:
        AdapterError: the file cannot be read, is damaged, or does not fit the base.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AdapterError(f"an adapter has at most {MAX_FILE_BYTES} bytes, {path.name} has more.")
        raw = path.read_bytes()
    except OSError as error:
        raise AdapterError(f"cannot read the adapter {path}: {error.strerror}.", _DAMAGED) from error
    adapter = check_adapter(adapter_from_bytes(raw), base=base, shapes=shapes)
    for source in PERSON_SOURCES:
        lengths = np.linalg.norm(adapter.views(source).astype(np.float64), axis=1)
        if len(lengths) and not np.allclose(lengths, 1.0, atol=_UNIT_WITHIN):
            raise AdapterError(
                f"adapter of {adapter.subject_id[:9]}: views.{source} are not of unit length.", _DAMAGED
            )
    return adapter, raw


def write_adapter(path: Path, adapter: Adapter) -> None:
    """Write an adapter whole or not at all.

    Raises:
        StoreError: the folder cannot be written.
    """
    write_atomic(path, adapter_to_bytes(adapter))


def _about(raw: bytes) -> dict[str, Any]:
    """The JSON under `pvchat` in the header's metadata."""
    if len(raw) < 8:
        raise AdapterError(f"the adapter file is damaged: {len(raw)} bytes.", _DAMAGED)
    (size,) = struct.unpack("<Q", raw[:8])
    if size > min(MAX_HEADER_BYTES, len(raw) - 8):
        raise AdapterError(f"the adapter's header claims {size} bytes.", _DAMAGED)
    try:
        about = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"][_KEY])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AdapterError("the adapter file has no pvchat metadata.", _DAMAGED) from error
    if not isinstance(about, dict):
        raise AdapterError("the adapter's metadata is no table.", _DAMAGED)
    return about
