"""`keys show`: the public key of this machine, made where there is none."""

from __future__ import annotations

import argparse

from device.cli.output import Output
from device.paths import Home
from runtime.keys import ensure_key


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes none."""


def run(args: argparse.Namespace, out: Output) -> int:
    """The key that others believe, or allow; the secret half stays in its file."""
    key = ensure_key(Home.from_environment().create().key_file).public
    out.result({"public_key": key}, key)
    return 0
