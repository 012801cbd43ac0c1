"""`bundle build-engines [DIR]`: TensorRT plans for this box, in a process of their own. Knows no engines."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.bundles import build_engines
from device.cli.output import Output, table
from device.daemon_client import reload_daemon
from device.paths import Home


def arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="default: the bundle in use")


def run(args: argparse.Namespace, out: Output) -> int:
    """The runtime uses the plans from its next start on; the daemon's is started anew."""
    home = Home.from_environment()
    folder = args.folder or home.current_bundle()
    out.hint("Building engines; this can take minutes …")
    report = build_engines(home, folder)
    if args.folder is None:
        reload_daemon(home)
    rows = [
        (one["role"], f"{one['size_bytes'] / 1e6:.1f} MB", f"{one['seconds']:.1f} s")
        for one in report["engines"]
    ]
    out.result(report, f"{table(rows)}\nBuilt in {report['folder']}.")
    return 0
