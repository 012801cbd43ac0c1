"""Rows of subjects and consent. Knows nothing of which adapter follows which."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from datetime import date

from device.store import denials
from device.store.blobs import Blobs
from device.store.database import Database
from device.store.records import AdapterRecord, Consent, Person
from runtime.contract.errors import ConsentError, UsageError
from runtime.contract.household import Subject


def read(database: Database, blobs: Blobs) -> list[Person]:
    """Everybody, in order of enrolment."""
    consents = {
        str(row["subject_id"]): Consent(row["by"], row["at"], row["purpose"], row["until"])
        for row in database.execute("SELECT * FROM consent ORDER BY rowid")
    }
    floors = {str(row[0]): int(row[1]) for row in database.execute("SELECT * FROM floors")}
    denied = denials.read(database, blobs)
    installed: dict[str, list[AdapterRecord]] = defaultdict(list)
    for row in database.execute("SELECT * FROM adapters ORDER BY release DESC"):
        record = AdapterRecord(
            subject_id=row["subject_id"],
            release=row["release"],
            kind=row["kind"],
            sha256=row["sha256"],
            base=row["base"],
            state=row["state"],
            path=blobs.path(row["sha256"]),
            installed_at=row["installed_at"],
        )
        installed[record.subject_id].append(record)
    return [
        Person(
            subject=Subject(row["subject_id"], row["name"], tuple(json.loads(row["aliases"]))),
            paused=bool(row["paused"]),
            created_at=row["created_at"],
            consent=consents[row["subject_id"]],
            sheet=None if row["sheet"] is None else blobs.path(row["sheet"]),
            adapters=tuple(installed[row["subject_id"]]),
            floor=floors.get(row["subject_id"], 0),
            denials=tuple(denied.get(row["subject_id"], [])),
        )
        for row in database.execute("SELECT * FROM subjects ORDER BY ordinal")
    ]


def check_names_are_free(people: list[Person], subject: Subject) -> None:
    """Refuse a name or alias that somebody answers to.

    Raises:
        UsageError: naming the word and who has it.
    """
    for word in (subject.name, *subject.aliases):
        taken = next((one.subject for one in people if one.subject.answers_to(word)), None)
        if taken is not None:
            raise UsageError(
                f"{taken.name} already answers to {word!r}.",
                "Choose another name, or enrol that person again with --replace.",
            )


def check_consent(consent: Consent) -> None:
    """Refuse consent that nobody gave or that has already ended.

    Raises:
        ConsentError: no name, no date, or a last day in the past.
    """
    if not consent.by.strip():
        raise ConsentError("nobody is named who consents.", "Say who with --consent-by NAME.")
    if consent.until is None:
        return
    try:
        last_day = date.fromisoformat(consent.until)
    except ValueError as error:
        raise ConsentError(f"{consent.until!r} is no date.", "Write --until as YYYY-MM-DD.") from error
    if last_day < date.today():
        raise ConsentError(f"consent until {consent.until} has already ended.", "Choose a later --until.")


def insert(database: Database, subject: Subject, consent: Consent, sheet: str | None) -> None:
    """Write subject and consent."""
    database.execute(
        "INSERT INTO subjects (subject_id, name, aliases, sheet, created_at) VALUES (?, ?, ?, ?, ?)",
        subject.subject_id, subject.name, json.dumps(subject.aliases), sheet, time.time(),
    )  # fmt: skip
    insert_consent(database, subject.subject_id, consent)


def rename(database: Database, subject: Subject) -> None:
    """Change how a person is called."""
    database.execute(
        "UPDATE subjects SET name = ?, aliases = ? WHERE subject_id = ?",
        subject.name, json.dumps(subject.aliases), subject.subject_id,
    )  # fmt: skip


def set_paused(database: Database, subject_id: str, paused: bool) -> None:
    """Whether a person is looked for."""
    database.execute("UPDATE subjects SET paused = ? WHERE subject_id = ?", int(paused), subject_id)


def consents(database: Database, subject_id: str) -> list[Consent]:
    """Every consent ever recorded for a person, oldest first."""
    rows = database.execute("SELECT * FROM consent WHERE subject_id = ? ORDER BY rowid", subject_id)
    return [Consent(row["by"], row["at"], row["purpose"], row["until"]) for row in rows]


def insert_consent(database: Database, subject_id: str, consent: Consent) -> None:
    """Add a consent record; the newest one counts."""
    check_consent(consent)
    database.execute(
        "INSERT INTO consent VALUES (?, ?, ?, ?, ?)",
        subject_id, consent.by, consent.at, consent.purpose, consent.until,
    )  # fmt: skip


def set_sheet(database: Database, subject_id: str, sheet: str | None) -> None:
    """Change the contact sheet."""
    database.execute("UPDATE subjects SET sheet = ? WHERE subject_id = ?", sheet, subject_id)
