"""Files named by the sha256 of their bytes. Knows no database and not what the bytes mean.

A blob appears whole or not at all: exclusive temporary file, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

from runtime.contract.errors import StoreError, UsageError

MAX_BLOB_BYTES = 32 * 1024 * 1024
_NAME = re.compile(r"^[0-9a-f]{64}(\.[a-z0-9]{1,5})?$")
_TEMPORARY = ".incoming-"


class Blobs:
    """A folder of content-addressed files, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, source: bytes | Path, suffix: str = "") -> str:
        """Keep these bytes (or this file's) for good, and return the blob's name.

        Args:
            suffix: appended to the name, such as `.jpg`, for files that people open.

        Raises:
            UsageError: the file cannot be read, or is larger than 32 MiB.
            StoreError: it cannot be written.
        """
        data = source if isinstance(source, bytes) else _read(source)
        if len(data) > MAX_BLOB_BYTES:
            raise UsageError(f"{len(data)} bytes are more than a vault file may have ({MAX_BLOB_BYTES}).")
        name = hashlib.sha256(data).hexdigest() + suffix
        temporary = self.folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.path(name))
            fsync_folder(self.folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(
                f"cannot write into {self.folder}: {error.strerror}.", "Check the disk's free space."
            ) from error
        return name

    def path(self, name: str) -> Path:
        """Where a blob lies.

        Raises:
            StoreError: not a blob's name.
        """
        if not _NAME.match(name):
            raise StoreError(f"{name!r} is no name of a vault file.")
        return self.folder / name

    def strays(self, wanted: set[str]) -> list[Path]:
        """Files of the folder that are not in `wanted`, left-over temporary ones included."""
        return sorted(path for path in self.folder.iterdir() if path.name not in wanted)

    def delete(self, paths: list[Path]) -> None:
        """Remove files for good."""
        for path in paths:
            path.unlink(missing_ok=True)
        if paths:
            fsync_folder(self.folder)


def fsync_folder(folder: Path) -> None:
    """Make renames and deletions in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """Replace a small text file; after a crash it holds the old or the new text, whole."""
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    with temporary.open("x", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BLOB_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.", "Check the path.") from error
