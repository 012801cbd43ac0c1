"""Adapters as .safetensors files. Knows no subjects' names and no engines.

One file holds one subject's arrays and, in its JSON, schema, subject id, base, kind and release.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from runtime.atomic import write_atomic
from runtime.contract.adapter import ADAPTER_SCHEMA, Adapter, check_adapter
from runtime.contract.errors import AdapterError
from runtime.contract.sources import PERSON_SOURCES
from runtime.tensors import pack, read_capped, unpack

_UNIT_WITHIN = 1e-2
_WHAT = "adapter"
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
    return pack(adapter.arrays, about)


def adapter_from_bytes(raw: bytes) -> Adapter:
    """Read a file's bytes; whether it fits a base is `check_adapter`'s question.

    Raises:
        AdapterError: too large, damaged, without its metadata, or of a newer schema.
    """
    arrays, about = unpack(raw, _WHAT, ADAPTER_SCHEMA, _DAMAGED)
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
    raw = read_capped(path, _WHAT, _DAMAGED)
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
