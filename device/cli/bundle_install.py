"""`bundle install DIR`: verify, self-test, activate."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.bundles import install_bundle
from device.cli.output import Output
from device.daemon_client import reload_daemon
from device.paths import Home


def arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a bundle, as the workshop exports it")


def run(args: argparse.Namespace, out: Output) -> int:
    """The bundle is current afterwards; the next question uses it."""
    home = Home.from_environment()
    out.hint("Verifying, copying and self-testing the bundle …")
    bundle_id = install_bundle(home, args.folder)
    reload_daemon(home)
    out.result({"bundle_id": bundle_id, "path": str(home.current_bundle())}, f"Bundle {bundle_id} is in use.")
    return 0
