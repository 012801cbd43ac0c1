"""`person show NAME`: everything stored about one person."""

from __future__ import annotations

import argparse
from datetime import datetime

from device.cli.output import Output, table
from device.cli.person_list import as_json, state
from device.household import find_person
from device.paths import Home
from device.store.records import Person
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who."""
    parser.add_argument("name", metavar="NAME", help="name or alias")


def run(args: argparse.Namespace, out: Output) -> int:
    """A table of facts."""
    with Store.open(Home.from_environment()) as store:
        person = find_person(store, args.name)
    out.result(as_json(person), _text(person))
    return 0


def _text(person: Person) -> str:
    consent = person.consent
    rows = [
        ("name", person.subject.name),
        ("also called", ", ".join(person.subject.aliases) or "-"),
        ("id", person.subject.subject_id),
        ("state", state(person)),
        ("enrolled", _day(person.created_at)),
        ("consent", f"by {consent.by} on {_day(consent.at)}, until {consent.until or 'withdrawn'}"),
        ("for", consent.purpose),
        ("contact sheet", str(person.sheet or "-")),
    ]
    for one in person.adapters:
        where = str(one.path) if one.state != "bad" else "file deleted"
        rows.append(("adapter", f"release {one.release} · {one.kind} · {one.state} · {where}"))
    rows += [("denied", f"{one.event} on {_day(one.at)}") for one in person.denials]
    return table(rows)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
