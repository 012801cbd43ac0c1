"""`ota check`: which updates are there for this home."""

from __future__ import annotations

import argparse

from device.cli.output import Output, table
from device.ota import commands
from device.paths import Home
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """Installs nothing."""
    home = Home.from_environment()
    with Store.open(home) as store:
        data = commands.check(home, store)
        names = {one.subject.subject_id: one.subject.name for one in store.people()}
    rows = [
        (
            names[one["subject_id"]],
            str(one["installed"]),
            str(one["offered"] or "-"),
            f"{one['state']} {one['reason']}",
        )
        for one in data["subjects"]
    ]
    text = table(rows, header=("NAME", "INSTALLED", "OFFERED", "")) if rows else "Nobody is enrolled."
    out.result(data, text)
    return 0
