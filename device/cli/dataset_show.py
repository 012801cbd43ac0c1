"""`dataset show FOLDER`: a person's dataset as one picture (needs the workshop's packages)."""

from __future__ import annotations

import argparse
from pathlib import Path

from device.cli.output import Output
from device.workshop import run_workshop


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which folder, and where the picture goes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="as `train.augment.dataset` made it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a .png (default: FOLDER/sheet.png)")


def run(args: argparse.Namespace, out: Output) -> int:
    """The program's own exit code; one JSON object either way."""
    words = [str(args.folder), *(["--out", str(args.out)] if args.out is not None else [])]
    return run_workshop("dataset show", "train.augment.dataset.show", words, ("torch", "sklearn"))
