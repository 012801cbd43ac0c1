"""`person deny EVENT`: the evidence shows somebody else; it counts from the next question on."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.cli.person_list import as_json
from device.daemon_client import announce
from device.paths import Home
from device.store.records import Person
from device.store.store import Store
from runtime.contract.errors import UsageError
from runtime.sightings import SIGHTING_SUFFIX, read_sighting


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which evidence."""
    parser.add_argument(
        "event", metavar="EVENT", help="the name of the evidence, as `ask` prints it, or its picture"
    )
    parser.add_argument("--undo", action="store_true", help="it was right after all")


def run(args: argparse.Namespace, out: Output) -> int:
    """Nothing is learned: who was seen there is compared from now on, and can be taken back."""
    home = Home.from_environment()
    event = Path(args.event).stem
    with Store.open(home) as store:
        person = store.undo_denial(event) if args.undo else _deny(store, home, Path(args.event))
        problems = announce(home, store.active_adapters())
    for line in problems:
        out.hint(line)
    name = person.subject.name
    if args.undo:
        said = f"{event} may be {name} again."
    else:
        said = f"Noted: {event} is not {name}. Take it back with `pvchat-edge person deny {event} --undo`."
    out.result({**as_json(person), "event": event}, said)
    return 0


def _deny(store: Store, home: Home, event: Path) -> Person:
    """Keep what was seen, as long as the evidence is there.

    Raises:
        UsageError: no such evidence, or it names nobody who is enrolled.
    """
    beside = [event.with_suffix(SIGHTING_SUFFIX)] if event.parent != Path() else []
    kept = [path for path in home.evidence.rglob(f"*{SIGHTING_SUFFIX}") if path.stem == event.stem]
    seen = next((path for path in [*beside, *kept] if path.is_file()), None)
    if seen is None:
        raise UsageError(
            f"there is no evidence {event.stem!r} that somebody was there.",
            "Ask again, and deny the evidence of that answer.",
        )
    return store.deny(read_sighting(seen).subject_id, event.stem, seen)
