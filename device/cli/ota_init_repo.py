"""`ota init-repo DIR`: a new signed update repository and its keys (a publishing verb of the workshop)."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.ota import commands
from device.paths import Home
from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and for whom."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="the new repository; everything in it is public"
    )
    parser.add_argument(
        "--keys", type=Path, required=True, metavar="DIR", help="where the private keys go; keep them apart"
    )
    parser.add_argument("--household", metavar="ID", help="household it serves (default: this home's)")


def run(args: argparse.Namespace, out: Output) -> int:
    """Prints what a box needs in order to trust it."""
    household_id = args.household
    if household_id is None:
        with Store.open(Home.from_environment()) as store:
            household_id = store.household().household_id
    data = commands.init_repo(args.folder, args.keys, household_id)
    out.result(data, f"Made {data['repository']}; its root has sha256 {data['root_sha256']}.")
    out.hint(f"Next, on the box: pvchat-edge ota trust {data['repository']} --sha256 {data['root_sha256']}")
    return 0
