"""`person pause NAME`: look for somebody no longer; nothing is deleted. `person resume` undoes it."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.cli.person_list import as_json
from device.daemon_client import announce
from device.household import find_person
from device.paths import Home
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who."""
    parser.add_argument("name", metavar="NAME", help="name or alias")


def run(args: argparse.Namespace, out: Output) -> int:
    """Twice is fine."""
    return set_paused(args.name, True, "is not looked for any more; `person resume` looks again.", out)


def set_paused(name: str, paused: bool, said: str, out: Output) -> int:
    """Store it, and let daemon or runtime know."""
    home = Home.from_environment()
    with Store.open(home) as store:
        subject_id = find_person(store, name).subject.subject_id
        person = store.set_paused(subject_id, paused)
        problems = announce(home, store.active_adapters())
    for line in problems:
        out.hint(line)
    out.result(as_json(person), f"{person.subject.name} {said}")
    return 0
