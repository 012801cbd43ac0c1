"""What the update channel must never forget: whom it trusts, and how far it has come.

Its own small SQLite file beside the TUF cache, with the settings that never lost an acknowledged commit in
power cuts. The cache may be lost or damaged at any time; this file is what stops a rollback then. Losing it
too means that nothing is trusted until `ota trust`. Release floors of people are in the home's store.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from device.ota.trust import RoleKey
from runtime.contract.errors import StoreError, UpdateError

SCHEMA_VERSION = 1
_SCHEMA = (
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE floors (role TEXT, keys TEXT, version INTEGER NOT NULL, PRIMARY KEY (role, keys))",
    f"PRAGMA user_version={SCHEMA_VERSION}",
)


class Ledger:
    """Open it with `Ledger(path)`, in a `with` block, one per thread."""

    def __init__(self, path: Path) -> None:
        """Open, check and, when new, create.

        Raises:
            StoreError: it cannot be opened, is damaged, or was written by a newer version.
        """
        self._path = path
        self._connection: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
            self._prepare(self._connection)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise self._damaged(str(error)) from error
        except StoreError:
            self.close()
            raise

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA synchronous=EXTRA")
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise self._damaged(str(found))
        connection.execute("BEGIN IMMEDIATE")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")
        if version > SCHEMA_VERSION:
            raise StoreError(f"{self._path} has schema {version}, this program reads up to {SCHEMA_VERSION}.")

    def close(self) -> None:
        """Close; idempotent."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set_anchor(self, repository: str, root: bytes) -> None:
        """Trust this root from now on, and fetch from there; floors of these and other keys stay."""
        self._write({"repository": repository.encode(), "root": root})

    def trusted(self) -> tuple[str, bytes]:
        """Repository and root.

        Raises:
            UpdateError: nothing is trusted yet.
        """
        repository, root = self._read("repository"), self._read("root")
        if repository is None or root is None:
            raise UpdateError(
                "this box trusts no update repository yet.",
                "Run `pvchat-edge ota trust REPOSITORY ROOT.json`.",
            )
        return repository.decode(), root

    def note(self, key: str) -> dict[str, Any] | None:
        """A JSON note such as the last check, or None."""
        raw = self._read(f"note.{key}")
        return None if raw is None else dict(json.loads(raw))

    def set_note(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Keep, or with None delete, a JSON note; durable when this returns."""
        raw = None if value is None else json.dumps(value, sort_keys=True).encode()
        self._write({f"note.{key}": raw})

    def time_floor_s(self) -> int:
        """POSIX seconds of the newest accepted signature; no earlier time is believed. 0: none yet."""
        return int(self._read("time_floor_s") or 0)

    def floors(self) -> dict[RoleKey, int]:
        """Highest accepted metadata version by role and keys."""
        rows = self._execute("SELECT role, keys, version FROM floors")
        return {(str(role), str(keys)): int(version) for role, keys, version in rows}

    def accept(self, root: bytes, versions: Mapping[RoleKey, int], time_floor_s: int) -> None:
        """Remember what was accepted, in one transaction; floors only ever rise.

        The newest root is the anchor from now on, so that an older root can never come back.
        """
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for (role, keys), version in versions.items():
                connection.execute(
                    "INSERT INTO floors VALUES (?, ?, ?)"
                    " ON CONFLICT (role, keys) DO UPDATE SET version = max(version, excluded.version)",
                    (role, keys, version),
                )
            later = max(time_floor_s, self.time_floor_s())
            for key, value in (("time_floor_s", b"%d" % later), ("root", root)):
                connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            raise self._damaged(str(error)) from error

    def _read(self, key: str) -> bytes | None:
        rows = self._execute("SELECT value FROM settings WHERE key = ?", key)
        return bytes(rows[0][0]) if rows else None

    def _write(self, values: Mapping[str, bytes | None]) -> None:
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for key, value in values.items():
                if value is None:
                    connection.execute("DELETE FROM settings WHERE key = ?", (key,))
                else:
                    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            raise self._damaged(str(error)) from error

    def _execute(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return self._open().execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(str(error)) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self._path} is closed.")
        return self._connection

    def _damaged(self, what: str) -> StoreError:
        return StoreError(
            f"the update channel's memory {self._path} cannot be used: {what}.",
            "Free the disk if it is full; else move the file away and run `pvchat-edge ota trust` again.",
        )
