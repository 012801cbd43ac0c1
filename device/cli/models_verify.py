"""`models verify`: check every byte of the installed models."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.paths import Home
from runtime.contract.errors import EngineError
from runtime.registry import read_model, registry


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """One word a model; the exit code is that of the first damaged one."""
    folder = Home.from_environment().models
    found: dict[str, str] = {}
    code = 0
    for card in registry():
        try:
            found[card.name] = "missing" if read_model(card, folder) is None else "sound"
        except EngineError as error:
            out.hint(str(error))
            found[card.name], code = "damaged", code or error.exit_code
    out.result({"models": found}, "\n".join(f"{name}: {state}" for name, state in found.items()))
    return code
