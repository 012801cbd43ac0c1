"""`ota refresh-repo DIR`: sign what is about to expire (a publishing verb of the workshop)."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.ota import commands


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the repository")
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="its private keys")


def run(args: argparse.Namespace, out: Output) -> int:
    """Run it at least once a day: the timestamp lives no longer."""
    data = commands.refresh_repo(args.folder, args.keys)
    out.result(
        data, "Signed: " + ", ".join(f"{role} {version}" for role, version in data["versions"].items())
    )
    return 0
