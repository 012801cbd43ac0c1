"""Rows of adapters and floors, and which state follows which. Knows no people.

The caller holds a transaction.
"""

from __future__ import annotations

import time

from device.store.blobs import Blobs
from device.store.database import Database
from device.store.records import AdapterState, NewAdapter
from runtime.contract.errors import UpdateError


def insert(
    database: Database, blobs: Blobs, subject_id: str, adapter: NewAdapter, state: AdapterState
) -> None:
    """Keep the file and write its row; an active one raises the floor."""
    name = blobs.put(adapter.source)
    database.execute(
        "INSERT INTO adapters VALUES (?, ?, ?, ?, ?, ?, ?)",
        subject_id, adapter.release, adapter.kind, name, adapter.base, time.time(), state,
    )  # fmt: skip
    if state == "active":
        _raise_floor(database, subject_id, adapter.release)


def activate_new(database: Database, blobs: Blobs, subject_id: str, adapter: NewAdapter) -> None:
    """The new adapter is active, the old one previous, an older previous one is gone.

    Raises:
        UpdateError: see `check_release`.
    """
    check_release(database, subject_id, adapter.release)
    _discard(database, subject_id, "trial")
    _retire_active(database, subject_id)
    insert(database, blobs, subject_id, adapter, "active")


def insert_trial(database: Database, blobs: Blobs, subject_id: str, adapter: NewAdapter) -> None:
    """The new adapter waits beside the active one.

    Raises:
        UpdateError: see `check_release`.
    """
    check_release(database, subject_id, adapter.release)
    _discard(database, subject_id, "trial")
    insert(database, blobs, subject_id, adapter, "trial")


def accept_trial(database: Database, subject_id: str) -> int:
    """The trial is active, the active one previous; returns the release."""
    release = _release(database, subject_id, "trial")
    _retire_active(database, subject_id)
    _set_state(database, subject_id, release, "active")
    _raise_floor(database, subject_id, release)
    return release


def reject_trial(database: Database, subject_id: str) -> int:
    """The trial is bad; returns its release."""
    release = _release(database, subject_id, "trial")
    _set_state(database, subject_id, release, "bad")
    return release


def rollback(database: Database, subject_id: str) -> int:
    """The active one is bad, the previous one active; returns the release that is active now."""
    previous = _release(database, subject_id, "previous")
    _set_state(database, subject_id, _release(database, subject_id, "active"), "bad")
    _set_state(database, subject_id, previous, "active")
    return previous


def check_release(database: Database, subject_id: str, release: int) -> None:
    """Refuse what was active before or has failed before.

    Raises:
        UpdateError: the release is at or below the floor, or known as bad.
    """
    lowest = floor(database, subject_id)
    if release <= lowest:
        raise UpdateError(
            f"release {release} of {subject_id[:9]} is not above its floor {lowest}.",
            "Publish it again with a higher release number.",
        )
    if database.execute(
        "SELECT 1 FROM adapters WHERE subject_id = ? AND release = ? AND state = 'bad'", subject_id, release
    ):
        raise UpdateError(
            f"release {release} of {subject_id[:9]} has failed on this box before.",
            "Publish a better one with a higher release number.",
        )


def floor(database: Database, subject_id: str) -> int:
    """Highest release that was ever active; 0 for nobody."""
    rows = database.execute("SELECT release FROM floors WHERE subject_id = ?", subject_id)
    return int(rows[0][0]) if rows else 0


def highest_release(database: Database, subject_id: str) -> int:
    """Highest release in any state; 0 for nobody."""
    rows = database.execute("SELECT max(release) FROM adapters WHERE subject_id = ?", subject_id)
    return max(int(rows[0][0] or 0), floor(database, subject_id))


def _raise_floor(database: Database, subject_id: str, release: int) -> None:
    database.execute(
        "INSERT INTO floors VALUES (?, ?)"
        " ON CONFLICT (subject_id) DO UPDATE SET release = max(release, excluded.release)",
        subject_id, release,
    )  # fmt: skip


def _retire_active(database: Database, subject_id: str) -> None:
    _discard(database, subject_id, "previous")
    database.execute(
        "UPDATE adapters SET state = 'previous' WHERE subject_id = ? AND state = 'active'", subject_id
    )


def _discard(database: Database, subject_id: str, state: AdapterState) -> None:
    database.execute("DELETE FROM adapters WHERE subject_id = ? AND state = ?", subject_id, state)


def _set_state(database: Database, subject_id: str, release: int, state: AdapterState) -> None:
    database.execute(
        "UPDATE adapters SET state = ? WHERE subject_id = ? AND release = ?", state, subject_id, release
    )


def _release(database: Database, subject_id: str, state: AdapterState) -> int:
    rows = database.execute(
        "SELECT release FROM adapters WHERE subject_id = ? AND state = ?", subject_id, state
    )
    if not rows:
        raise UpdateError(
            f"{subject_id[:9]} has no {state} adapter.", "See the versions with `pvchat-edge ota status`."
        )
    return int(rows[0][0])
