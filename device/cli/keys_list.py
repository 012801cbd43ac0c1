"""`keys list`: the machines that may ask this box."""

from __future__ import annotations

import argparse

from device.cli.output import Output, table
from device.paths import Home
from runtime.keys import AllowList


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """One line a machine."""
    names = AllowList(Home.from_environment().allowed_keys).names()
    out.result({"allowed": names}, table(sorted(names.items())))
    if not names:
        out.hint("Let a machine in: pvchat-edge keys allow NAME KEY")
    return 0
