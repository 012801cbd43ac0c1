"""`ota status`: installed releases and the update channel."""

from __future__ import annotations

import argparse
from datetime import datetime

from device.cli.output import Output, table
from device.ota import commands
from device.paths import Home
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """Needs no network."""
    home = Home.from_environment()
    with Store.open(home) as store:
        data = commands.status(home, store)
    fresh = {True: "yes", False: "no: older than 72 h", None: "unknown"}[data["fresh"]]
    rows = [("household", data["household_id"]), ("repository", data["repository"] or "none trusted")]
    rows += [("last check", _time(data["last_check"])), ("fresh", fresh)]
    if data["last_refusal"]:
        rows.append(("last refusal", f"{_time(data['last_refusal'])}: {data['last_refusal']['reason']}"))
    for person in data["subjects"]:
        releases = ", ".join(f"{one['release']} {one['state']} ({one['kind']})" for one in person["adapters"])
        rows.append((person["name"], f"releases: {releases or 'none'}; floor {person['floor']}"))
    out.result(data, table(rows))
    return 0


def _time(note: dict[str, int] | None) -> str:
    if note is None:
        return "never"
    return datetime.fromtimestamp(note["at_s"]).astimezone().strftime("%Y-%m-%d %H:%M")
