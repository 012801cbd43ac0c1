"""`ota rollback [NAME]`: back to the adapter before, at once and without network."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.ota import commands
from device.paths import Home
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """For whom."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="default: everybody who has one to go back to"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """What was left is not installed again."""
    home = Home.from_environment()
    with Store.open(home) as store:
        data = commands.rollback(home, store, args.name)
        names = {one.subject.subject_id: one.subject.name for one in store.people()}
    lines = [
        f"{names[one['subject_id']]} is back on release {one['to']} (was {one['from']})."
        for one in data["rolled_back"]
    ]
    out.result(data, "\n".join(lines))
    return 0
