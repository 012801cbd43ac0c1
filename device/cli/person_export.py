"""`person export NAME --out FILE`: everything stored about one person, to take away or to hand over."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.cli.person_list import as_json
from device.household import find_person
from device.paths import Home
from device.portrait import export_person
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who, and where to."""
    parser.add_argument("name", metavar="NAME", help="name or alias")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a .zip that is not there yet"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Nothing in the home changes."""
    with Store.open(Home.from_environment()) as store:
        person = find_person(store, args.name)
        consents = store.consents(person.subject.subject_id)
        files = export_person(person, as_json(person), consents, args.out)
    out.hint(f"{args.out} tells what {person.subject.name} looks like: keep it as you keep a passport.")
    out.result(
        {"subject_id": person.subject.subject_id, "out": str(args.out.absolute()), "files": files},
        f"{person.subject.name}: {', '.join(files)} in {args.out}.",
    )
    return 0
