"""`person forget NAME`: delete a person, adapters, contact sheet and all evidence pictures."""

from __future__ import annotations

import argparse
import sys

from device.cli.output import Output
from device.daemon_client import announce
from device.household import clear_scratch, find_person
from device.paths import Home
from device.store.store import Store
from runtime.contract.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who."""
    parser.add_argument("name", metavar="NAME", help="name or alias")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 2, and nothing deleted, unless it was confirmed."""
    home = Home.from_environment()
    with Store.open(home) as store:
        subject = find_person(store, args.name).subject
        if not args.yes:
            _confirm(subject.name)
        store.forget(subject.subject_id)
        clear_scratch(home)
        problems = announce(home, store.active_adapters())
    for line in problems:
        out.hint(line)
    data = {"forgotten": subject.name, "subject_id": subject.subject_id, "problems": problems}
    out.result(
        data, f"{subject.name} is forgotten: adapters, contact sheet, consent and evidence are deleted."
    )
    return 0


def _confirm(name: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"forgetting {name} cannot be undone.", "Add --yes to do it.")
    print(
        f"Forget {name}, with everything learned and all evidence pictures? [y/N] ", end="", file=sys.stderr
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError(f"{name} was not forgotten.", "Answer y, or add --yes.")
