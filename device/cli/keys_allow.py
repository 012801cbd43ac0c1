"""`keys allow NAME KEY`: let another machine of the household ask this box."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.config import load_config
from device.paths import Home
from runtime.keys import AllowList


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who, and which key."""
    parser.add_argument("name", metavar="NAME", help="what to call the machine, such as tablet")
    parser.add_argument("key", metavar="KEY", help="what `pvchat-edge keys show` prints there")


def run(args: argparse.Namespace, out: Output) -> int:
    """Counts at once, also for a daemon that runs."""
    home = Home.from_environment().create()
    AllowList(home.allowed_keys).allow(args.name, args.key)
    out.result({"allowed": args.name, "public_key": args.key}, f"{args.name} may ask this box.")
    if not load_config(home.config_file).network.listen:
        out.hint(f"Nobody can yet: set listen under [network] in {home.config_file}.")
    return 0
