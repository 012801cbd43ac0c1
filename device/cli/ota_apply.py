"""`ota apply [NAME]`: fetch, verify, self-test and activate updates."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.ota import commands
from device.paths import Home
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """For whom."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="default: everybody")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 5, and the box as it was, when an update is refused."""
    home = Home.from_environment()
    out.hint("Looking for updates …")
    with Store.open(home) as store:
        data = commands.apply(home, store, args.name)
        names = {one.subject.subject_id: one.subject.name for one in store.people()}
    lines = [f"{names[one['subject_id']]} now has release {one['release']}." for one in data["applied"]]
    lines += [f"{names[one['subject_id']]}: refused: {one['reason']}" for one in data["refused"]]
    out.result(data, "\n".join(lines) or "Everything is up to date.")
    return 0
