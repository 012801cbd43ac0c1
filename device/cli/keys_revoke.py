"""`keys revoke NAME`: let a machine ask this box no longer."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.paths import Home
from runtime.keys import AllowList


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who."""
    parser.add_argument("name", metavar="NAME", help="as in `pvchat-edge keys list`")


def run(args: argparse.Namespace, out: Output) -> int:
    """Counts at once, also on connections that are open."""
    AllowList(Home.from_environment().allowed_keys).revoke(args.name)
    out.result({"revoked": args.name}, f"{args.name} may no longer ask this box.")
    return 0
