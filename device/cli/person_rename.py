"""`person rename NAME`: another name or other aliases; what was learned stays."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.cli.person_list import as_json
from device.daemon_client import announce
from device.household import find_person
from device.paths import Home
from device.store.store import Store
from runtime.contract.errors import UsageError
from runtime.contract.household import Subject, check_name, fold


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who, and how they are called from now on."""
    parser.add_argument("name", metavar="NAME", help="name or alias")
    parser.add_argument("--to", metavar="NEW", help="the new name")
    parser.add_argument("--alias", action="append", default=[], metavar="A", help="one more word for them")
    parser.add_argument("--drop-alias", action="append", default=[], metavar="A", help="one word less")


def run(args: argparse.Namespace, out: Output) -> int:
    """Nothing is changed unless all of it can be."""
    if args.to is None and not args.alias and not args.drop_alias:
        raise UsageError("nothing to change.", "Give --to NEW, --alias A or --drop-alias A.")
    home = Home.from_environment()
    with Store.open(home) as store:
        before = find_person(store, args.name).subject
        after = _renamed(before, args.to, args.alias, args.drop_alias)
        person = store.rename(after)
        problems = announce(home, store.active_adapters())
    for line in problems:
        out.hint(line)
    aliases = f", also called {', '.join(after.aliases)}" if after.aliases else ""
    out.result({**as_json(person), "was": before.name}, f"{before.name} is now {after.name}{aliases}.")
    return 0


def _renamed(before: Subject, new: str | None, added: list[str], dropped: list[str]) -> Subject:
    known = {fold(alias): alias for alias in before.aliases}
    for word in dropped:
        if fold(word) not in known:
            raise UsageError(
                f"{before.name} is not also called {word!r}.",
                f"Aliases: {', '.join(before.aliases) or 'none'}.",
            )
        del known[fold(word)]
    for word in added:
        known.setdefault(fold(check_name(word)), word)
    name = before.name if new is None else check_name(new)
    known.pop(fold(name), None)
    return Subject(before.subject_id, name, tuple(known.values()))
