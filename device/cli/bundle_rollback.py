"""`bundle rollback`: go back to the bundle before."""

from __future__ import annotations

import argparse

from device.bundles import rollback_bundle
from device.cli.output import Output
from device.daemon_client import reload_daemon
from device.paths import Home


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """The bundle before is current afterwards."""
    home = Home.from_environment()
    bundle_id = rollback_bundle(home)
    reload_daemon(home)
    out.result(
        {"bundle_id": bundle_id, "path": str(home.current_bundle())}, f"Bundle {bundle_id} is in use again."
    )
    return 0
