"""`person resume NAME`: look for somebody again."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.cli.person_pause import arguments, set_paused

__all__ = ["arguments", "run"]


def run(args: argparse.Namespace, out: Output) -> int:
    """Twice is fine."""
    return set_paused(args.name, False, "is looked for again.", out)
