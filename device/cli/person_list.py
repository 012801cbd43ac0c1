"""`person list`: who is enrolled."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from device.cli.output import Output, table
from device.paths import Home
from device.store.records import Person
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """One line a person."""
    with Store.open(Home.from_environment()) as store:
        people = store.people()
    out.result({"people": [as_json(person) for person in people]}, _text(people))
    if not people:
        out.hint("Add somebody: pvchat-edge person add NAME --clip FILE --consent-by WHO")
    return 0


def as_json(person: Person) -> dict[str, Any]:
    """Everything stored about a person, ready for JSON."""
    active = person.adapter()
    return {
        "subject_id": person.subject.subject_id,
        "name": person.subject.name,
        "aliases": list(person.subject.aliases),
        "state": state(person),
        "created_at": person.created_at,
        "consent": {
            "by": person.consent.by,
            "at": person.consent.at,
            "purpose": person.consent.purpose,
            "until": person.consent.until,
        },
        "release": None if active is None else active.release,
        "floor": person.floor,
        "adapters": [
            {
                "release": one.release,
                "kind": one.kind,
                "state": one.state,
                "base": one.base,
                "sha256": one.sha256,
            }
            for one in person.adapters
        ],
        "denied": [{"event": one.event, "at": one.at} for one in person.denials],
        "contact_sheet": None if person.sheet is None else str(person.sheet),
    }


def state(person: Person) -> str:
    """In a word, whether this person is looked for."""
    if person.lapsed(date.today().isoformat()):
        return f"consent ended {person.consent.until}"
    return "paused" if person.paused else "active"


def _text(people: list[Person]) -> str:
    if not people:
        return "Nobody is enrolled."
    rows = []
    for person in people:
        active = person.adapter()
        adapter = "none" if active is None else f"release {active.release} ({active.kind})"
        until = f" until {person.consent.until}" if person.consent.until else ""
        aliases = ", ".join(person.subject.aliases) or "-"
        rows.append((person.subject.name, aliases, adapter, state(person), f"{person.consent.by}{until}"))
    return table(rows, header=("NAME", "ALSO", "ADAPTER", "STATE", "CONSENT BY"))
