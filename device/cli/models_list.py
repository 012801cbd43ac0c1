"""`models list`: models of others that the box can use, and which of them are installed."""

from __future__ import annotations

import argparse
import dataclasses

from device.cli.output import Output, table
from device.paths import Home
from runtime.registry import registry


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """One line a model."""
    folder = Home.from_environment().models
    cards = [(card, (folder / card.file).exists()) for card in registry()]
    rows = [
        (card.name, "installed" if there else "-", f"{card.bytes / 1e6:.1f} MB", card.licence, card.purpose)
        for card, there in cards
    ]
    data = [{**dataclasses.asdict(card), "installed": there} for card, there in cards]
    out.result({"folder": str(folder), "models": data}, table(rows))
    if not all(there for _, there in cards):
        out.hint("Install one: pvchat-edge models pull NAME")
    return 0
