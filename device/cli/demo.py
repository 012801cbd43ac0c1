"""`demo`: starts the workshop's demo as a child process. Knows nothing of what it does."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.workshop import run_workshop


def arguments(parser: argparse.ArgumentParser) -> None:
    """Everything is handed on."""
    parser.add_argument("rest", nargs="*", metavar="ARG", help="handed on to the demo (after --)")


def run(args: argparse.Namespace, out: Output) -> int:
    """The demo's own exit code."""
    return run_workshop("the demo", "train.demo", args.rest, ("torch",))
