"""What of a person lies in the files of a home: before forgetting, and after. Knows no database rows."""

from __future__ import annotations

from pathlib import Path

from device.paths import Home
from device.store.records import Person

_MAX_BYTES = 256 * 1024 * 1024


def files_of(home: Home, person: Person) -> list[Path]:
    """Files that forgetting this person deletes: adapters, contact sheet, updates, all evidence pictures."""
    own = [one.path for one in person.adapters if one.state != "bad"]
    own += [person.sheet] if person.sheet is not None else []
    own += [one.path for one in person.denials]
    updates = [path for path in home.ota.rglob(f"*{person.subject.subject_id}*") if path.is_file()]
    evidence = [path for path in home.evidence.rglob("*") if path.is_file()]
    return sorted({*own, *updates, *evidence})


def traces_of(home: Home, person: Person) -> list[Path]:
    """Files anywhere in the home that hold the person's id, or whose name holds it or an adapter's hash.

    The name is not searched for: it is a word like others, and stands in clips' and rooms' names, too.
    """
    marks = [person.subject.subject_id, *(one.sha256 for one in person.adapters)]
    return sorted(path for path in home.root.rglob("*") if path.is_file() and _holds(path, marks))


def _holds(path: Path, marks: list[str]) -> bool:
    if any(mark in path.name for mark in marks):
        return True
    if path.stat().st_size > _MAX_BYTES:
        return False
    raw = path.read_bytes()
    return any(mark.encode() in raw for mark in marks)
