"""`ota trust REPOSITORY`: fetch updates from there, and believe its root, from now on."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.ota import commands
from device.paths import Home
from runtime.contract.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and the root."""
    parser.add_argument("repository", metavar="REPOSITORY", help="a folder, or an http(s) address")
    parser.add_argument("--root", type=Path, metavar="FILE", help="root.json (default: the folder's own)")
    parser.add_argument("--sha256", metavar="HEX", help="what the publisher says the root's is")


def run(args: argparse.Namespace, out: Output) -> int:
    """The box follows this root's keys until another one is trusted."""
    root = args.root
    if root is None:
        if args.repository.startswith(("http://", "https://")):
            raise UsageError("an http(s) repository needs its root.", "Give --root FILE, brought by hand.")
        root = Path(args.repository) / "root.json"
    data = commands.trust(Home.from_environment().create(), args.repository, root, sha256=args.sha256)
    out.result(data, f"Trusting {data['repository']} (root version {data['root_version']}).")
    return 0
