"""`person forget NAME`: delete a person, adapters, contact sheet and all evidence pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from device.cli.output import Output
from device.daemon_client import announce
from device.household import clear_scratch, find_person
from device.paths import Home
from device.store.store import Store
from device.store.traces import files_of, traces_of
from runtime.contract.errors import StoreError, UsageError
from runtime.contract.household import Subject


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who."""
    parser.add_argument("name", metavar="NAME", help="name or alias")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be deleted, and delete nothing"
    )
    parser.add_argument(
        "--verify", action="store_true", help="look through the home for anything left afterwards"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 2, and nothing deleted, unless it was confirmed."""
    home = Home.from_environment()
    with Store.open(home) as store:
        person = find_person(store, args.name)
        subject = person.subject
        if args.dry_run:
            out.result(*_would(subject, files_of(home, person)))
            return 0
        if not args.yes:
            _confirm(subject.name)
        store.forget(subject.subject_id)
        clear_scratch(home)
        problems = announce(home, store.active_adapters())
    left = traces_of(home, person) if args.verify else []
    if left:
        raise StoreError(
            f"{subject.name} is forgotten, but {len(left)} files still hold something: {left[0]}.",
            "Stop the daemon, delete them, and look again.",
        )
    for line in problems:
        out.hint(line)
    checked = " Nothing is left in this home." if args.verify else ""
    out.result(
        {
            "forgotten": subject.name,
            "subject_id": subject.subject_id,
            "problems": problems,
            "verified": args.verify,
        },
        f"{subject.name} is forgotten: adapters, contact sheet, consent and evidence are deleted.{checked}",
    )
    return 0


def _would(subject: Subject, files: list[Path]) -> tuple[dict[str, Any], str]:
    """What `--dry-run` says, as JSON and for people."""
    listed = [str(path) for path in files]
    text = f"{subject.name} and the consent would be forgotten, and {len(files)} files deleted:"
    told = {"would_forget": subject.name, "subject_id": subject.subject_id, "files": listed}
    return told, "\n  ".join([text, *listed])


def _confirm(name: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"forgetting {name} cannot be undone.", "Add --yes to do it.")
    print(
        f"Forget {name}, with everything learned and all evidence pictures? [y/N] ", end="", file=sys.stderr
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError(f"{name} was not forgotten.", "Answer y, or add --yes.")
