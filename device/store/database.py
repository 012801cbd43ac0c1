"""The state database: opening, settings, schema, transactions. Knows no people and no blobs.

`journal_mode=DELETE` with `synchronous=EXTRA` is the setting that never lost an acknowledged commit in power
cuts; `secure_delete` overwrites what is deleted.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.contract.errors import StoreError

SCHEMA_VERSION = 2
BUSY_TIMEOUT_MS = 10_000
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE household (household_id TEXT PRIMARY KEY, created_at REAL NOT NULL);
CREATE TABLE subjects (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  subject_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  aliases TEXT NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  sheet TEXT,
  created_at REAL NOT NULL);
CREATE TABLE consent (
  subject_id TEXT NOT NULL REFERENCES subjects (subject_id) ON DELETE CASCADE,
  by TEXT NOT NULL,
  at REAL NOT NULL,
  purpose TEXT NOT NULL,
  until TEXT);
CREATE TABLE adapters (
  subject_id TEXT NOT NULL REFERENCES subjects (subject_id) ON DELETE CASCADE,
  release INTEGER NOT NULL,
  kind TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  base TEXT NOT NULL,
  installed_at REAL NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'previous', 'trial', 'bad')),
  PRIMARY KEY (subject_id, release));
CREATE UNIQUE INDEX one_adapter_per_state ON adapters (subject_id, state) WHERE state <> 'bad';
CREATE TABLE floors (
  subject_id TEXT PRIMARY KEY REFERENCES subjects (subject_id) ON DELETE CASCADE,
  release INTEGER NOT NULL);
"""
_DENIALS = """
CREATE TABLE denials (
  subject_id TEXT NOT NULL REFERENCES subjects (subject_id) ON DELETE CASCADE,
  event TEXT NOT NULL,
  at REAL NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (subject_id, event));
"""
_STEPS = (_SCHEMA, _DENIALS)
"""What brings a database from schema N to N + 1; nothing here is ever changed, only added to."""


class Database:
    """One connection to the state database; use it in the thread that opened it."""

    def __init__(self, path: Path) -> None:
        """Open, check and, when new, create.

        Raises:
            StoreError: cannot be opened, is damaged, or was written by a newer version.
        """
        self.path = path
        try:
            # Created here rather than by SQLite, so that it is never readable by others, whatever the umask.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open {path}: {error}.", "Run `pvchat-edge doctor`.") from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode=DELETE", "synchronous=EXTRA", "secure_delete=ON", "foreign_keys=ON",
            "trusted_schema=OFF", "temp_store=MEMORY",
        ):  # fmt: skip
            self.execute(f"PRAGMA {pragma}")
        found = [str(row[0]) for row in self.execute("PRAGMA integrity_check(3)")]
        if found != ["ok"]:
            raise self._damaged("; ".join(found))
        if self.schema_version() < SCHEMA_VERSION:
            with self.transaction():
                self._upgrade()
        version = self.schema_version()
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema {version}, this program reads up to {SCHEMA_VERSION}.",
                "Update pvchat-edge.",
            )

    def _upgrade(self) -> None:
        found = self.schema_version()  # inside the transaction: another process may have been faster
        for step in _STEPS[found:]:
            for statement in step.split(";"):
                if statement.strip():
                    self.execute(statement)
        if found == 0:
            self.execute("INSERT INTO household VALUES (?, ?)", f"h{uuid.uuid4().hex}", time.time())
            self.execute("INSERT INTO meta VALUES ('generation', '0')")
        self.execute(f"PRAGMA user_version={max(found, SCHEMA_VERSION)}")

    def schema_version(self) -> int:
        """Schema number of the file; 0 when it is new."""
        return int(self.execute("PRAGMA user_version")[0][0])

    def execute(self, statement: str, *values: str | int | float | None) -> list[sqlite3.Row]:
        """Run one statement and fetch all its rows.

        Raises:
            StoreError: whatever SQLite says.
        """
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self.path}: {error}.", _next_step(str(error))) from error
        except sqlite3.IntegrityError as error:
            raise StoreError(f"{self.path}: {error}.", "Nothing was changed.") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; holds the write lock from the start. An exception rolls everything back."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._connection.close()

    def _damaged(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path} is damaged: {what}.",
            "Move it away and enrol again, or restore a backup of the vault.",
        )


def _next_step(problem: str) -> str:
    if "full" in problem or "disk I/O" in problem:  # as SQLite says that a write was refused
        return "Nothing was changed. Check the disk's free space, then try again."
    return "Try again, or run `pvchat-edge doctor`."
