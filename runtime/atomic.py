"""Writes a file whole or not at all. Knows nothing of what it writes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from runtime.contract.errors import StoreError


def write_atomic(path: Path, data: bytes) -> None:
    """Put `data` at `path`, readable by the owner only; on any failure the old file stays.

    Raises:
        StoreError: the folder is missing, full or read-only.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}.", "Check the folder.") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}.", "Check space and rights.") from error
