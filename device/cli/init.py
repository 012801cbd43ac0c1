"""`init`: the home folder and its commented settings file. Knows no cameras."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.config import template
from device.paths import Home
from device.store.blobs import write_atomically
from device.store.store import Store
from runtime.contract.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """Make the folder; settings that are there are never overwritten."""
    home = Home.from_environment()
    if home.config_file.exists():
        raise UsageError(
            f"{home.config_file} exists already; it was not changed.",
            "Edit it, or remove it and run init again.",
        )
    text = template()
    with Store.open(home) as store:
        household_id = store.household().household_id
    write_atomically(home.config_file, text)
    data = {"home": str(home.root), "config": str(home.config_file), "household_id": household_id}
    out.result(data, f"Made {home.root}.")
    out.hint(f"Next: write your rooms and cameras into {home.config_file}, then `pvchat-edge person add`.")
    return 0
