"""`models pull NAME`: fetch a model of others, check it, use it from now on."""

from __future__ import annotations

import argparse
import sys

from device.cli.output import Output
from device.models.pull import pull
from device.paths import Home
from runtime.registry import card_of, registry


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which, and from where."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="as `models list` has it; none: all")
    parser.add_argument(
        "--from", dest="mirror", metavar="PLACE", help="a folder or an http(s) address that has the files"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """The models are installed afterwards; the next question uses them."""
    home = Home.from_environment().create()
    cards = [card_of(name) for name in args.names] or list(registry())
    paths = {}
    for card in cards:
        out.hint(f"{card.name}: {card.licence}, from {args.mirror or card.source}")
        paths[card.name] = str(pull(card, home.models, args.mirror, _shown))
    out.result({"installed": paths}, f"Installed: {', '.join(paths)}.")
    return 0


def _shown(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"  {done / 1e6:.1f} of {total / 1e6:.1f} MB", end=end, file=sys.stderr, flush=True)
