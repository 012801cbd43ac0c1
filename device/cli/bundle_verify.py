"""`bundle verify [DIR]`: hash every file of a bundle. Knows no engines."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.paths import Home
from runtime.contract.bundle import Bundle


def arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="default: the bundle in use")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 5 and one line that names every damaged file, or what the bundle is."""
    bundle = Bundle.open(args.folder or Home.from_environment().current_bundle())
    bundle.verify()
    size_bytes = sum(entry.size_bytes for entry in bundle.manifest.files)
    data = {
        "bundle_id": bundle.bundle_id,
        "path": str(bundle.root),
        "kind": bundle.manifest.kind,
        "base": bundle.manifest.base,
        "schema": bundle.manifest.schema,
        "files": len(bundle.manifest.files),
        "size_bytes": size_bytes,
    }
    out.result(
        data,
        f"Bundle {bundle.bundle_id} ({bundle.manifest.kind}) is whole: "
        f"{len(bundle.manifest.files)} files, {size_bytes / 1e6:.1f} MB, base {bundle.manifest.base[:12]}.",
    )
    return 0
