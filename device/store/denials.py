"""Rows of denials: evidence that does not show whom the box named. Knows no evidence files but their names.

The caller holds a transaction.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

from device.store.blobs import Blobs
from device.store.database import Database
from device.store.records import Denial, Person
from runtime.contract.errors import UsageError

MAX_DENIALS = 64


def read(database: Database, blobs: Blobs) -> dict[str, list[Denial]]:
    """By subject id, oldest first; nothing for those who were never denied."""
    found: dict[str, list[Denial]] = defaultdict(list)
    for row in database.execute("SELECT * FROM denials ORDER BY at, event"):
        found[row["subject_id"]].append(Denial(row["event"], row["at"], blobs.path(row["sha256"])))
    return dict(found)


def insert(database: Database, blobs: Blobs, person: Person, event: str, seen: Path) -> None:
    """Keep the file and write its row.

    Raises:
        UsageError: denied already, or there are as many as there may be.
    """
    if any(one.event == event for one in person.denials):
        raise UsageError(f"{event} was denied to be {person.subject.name} already.")
    if len(person.denials) >= MAX_DENIALS:
        raise UsageError(
            f"{person.subject.name} was denied {MAX_DENIALS} times.",
            "Enrol this person again from a better clip, or undo an old denial.",
        )
    database.execute(
        "INSERT INTO denials VALUES (?, ?, ?, ?)",
        person.subject.subject_id, event, time.time(), blobs.put(seen),
    )  # fmt: skip


def delete(database: Database, event: str) -> str:
    """Delete a row; returns whom it was of.

    Raises:
        UsageError: there is none.
    """
    rows = database.execute("SELECT subject_id FROM denials WHERE event = ?", event)
    if not rows:
        raise UsageError(f"{event} was never denied.", "See `pvchat-edge person show NAME`.")
    database.execute("DELETE FROM denials WHERE event = ?", event)
    return str(rows[0][0])
