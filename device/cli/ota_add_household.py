"""`ota add-household DIR`: let a repository serve one more household (a publishing verb of the workshop)."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.ota import commands


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and for whom."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the repository")
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="its private keys")
    parser.add_argument("--household", required=True, metavar="ID", help="see `ota status` on the box")


def run(args: argparse.Namespace, out: Output) -> int:
    """The household has a key of its own afterwards."""
    data = commands.add_household(args.folder, args.keys, args.household)
    out.result(data, f"{data['repository']} serves {len(data['households'])} households.")
    return 0
