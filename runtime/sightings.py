"""What was seen of somebody in one piece of evidence, as a small file. Knows no answers and no engines.

It lies beside the evidence picture, so that a wrong answer can be denied later. A .safetensors file with the
arrays `views` and `geom`, and JSON with schema, subject id, source and base.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from runtime.contract.adapter import MAX_VIEWS
from runtime.contract.errors import AdapterError
from runtime.contract.sources import PersonSource
from runtime.tensors import pack, read_capped, unpack

SIGHTING_SUFFIX = ".seen"
SIGHTING_SCHEMA = 1
_WHAT = "evidence file"
_DAMAGED = "Deny it again from newer evidence."


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody who was taken for a subject.

    Attributes:
        subject_id: whom the box took this person for.
        source: what the embeddings are of.
        base: fingerprint of the base that was installed: heads of another base cannot be compared.
        views: float32 (V, E), unit embeddings, 1 to 64.
        geom: float32 (V, G), where each view was, as `runtime.people.tokens` has it.
    """

    subject_id: str
    source: PersonSource
    base: str
    views: NDArray[np.float32]
    geom: NDArray[np.float32]


def sighting_to_bytes(sighting: Sighting) -> bytes:
    """The file's bytes."""
    about = {
        "schema": SIGHTING_SCHEMA,
        "subject_id": sighting.subject_id,
        "source": sighting.source,
        "base": sighting.base,
    }
    return pack({"views": sighting.views, "geom": sighting.geom}, about)


def sighting_from_bytes(raw: bytes) -> Sighting:
    """Read a file's bytes.

    Raises:
        AdapterError: it is no such file, or damaged.
    """
    arrays, about = unpack(raw, _WHAT, SIGHTING_SCHEMA, _DAMAGED)
    source: PersonSource
    match about:
        case {"subject_id": str(subject_id), "base": str(base), "source": "head" | "face" as source}:
            views, geom = arrays.get("views"), arrays.get("geom")
        case _:
            raise AdapterError("the evidence file does not say who was seen, and by what.", _DAMAGED)
    if not _sound(views) or not _sound(geom) or len(views) != len(geom) or len(views) > MAX_VIEWS:
        raise AdapterError(f"the evidence file holds no views, 1 to {MAX_VIEWS} of them.", _DAMAGED)
    return Sighting(subject_id, source, base, views, geom)


def read_sighting(path: Path) -> Sighting:
    """A sighting from its file.

    Raises:
        AdapterError: the file cannot be read, or is damaged.
    """
    return sighting_from_bytes(read_capped(path, _WHAT, _DAMAGED))


def _sound(rows: NDArray[Any] | None) -> TypeGuard[NDArray[np.float32]]:
    if rows is None or rows.dtype != np.float32 or rows.ndim != 2 or rows.size == 0:
        return False
    return bool(np.isfinite(rows).all())
