"""`ota add-adapter DIR FILE`: publish an adapter as an update (a publishing verb of the workshop)."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.ota import commands


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and what."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the repository")
    parser.add_argument("adapter", type=Path, metavar="FILE", help="the adapter, .safetensors")
    parser.add_argument("--keys", type=Path, required=True, metavar="DIR", help="its private keys")
    parser.add_argument("--release", type=int, metavar="N", help="must be what the file says")
    parser.add_argument("--subject", metavar="ID", help="must be what the file says")
    parser.add_argument("--base", metavar="FINGERPRINT", help="must be what the file says")
    parser.add_argument("--household", metavar="ID", help="needed when the repository serves several")


def run(args: argparse.Namespace, out: Output) -> int:
    """Boxes see it at their next check."""
    data = commands.add_adapter(
        args.folder,
        args.keys,
        args.adapter,
        release=args.release,
        subject_id=args.subject,
        base=args.base,
        household_id=args.household,
    )
    out.result(data, f"Published release {data['release']} of {data['subject_id']} ({data['bytes']} bytes).")
    return 0
