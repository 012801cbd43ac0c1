"""`python -m export CONFIG --checkpoint DIR --out DIR`: a bundle from a checkpoint.

Progress goes to stderr; the last line on stdout is one line of JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.config import load_export_config
from export.files import read_calibration, read_golden, read_notes, ready_engines
from export.pack import pack, size_mib
from runtime.contract.bundle import Bundle
from runtime.contract.errors import PvchatError
from train.checkpoint import CALIBRATION, fingerprint

_EVALUATION, _MADE_BY = "evaluation.json", "made_by.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Export once; the exit code is the error's."""
    arguments = _parser().parse_args(argv)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", file=sys.stderr, flush=True)

    try:
        bundle = _export(arguments, say)
    except PvchatError as error:
        print(f"pvchat-edge export: {error}", file=sys.stderr)
        return error.exit_code
    for entry in bundle.manifest.files:
        say(f"{entry.size_bytes / 2**20:7.3f} MiB  {entry.path}")
    line = json.dumps(_summary(bundle, time.monotonic() - began), sort_keys=True)
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)
    return 0


def _export(arguments: argparse.Namespace, say: Any) -> Bundle:
    config = load_export_config(arguments.config)
    if arguments.quick:
        config = dataclasses.replace(config, prove_perturbed=False)
    checkpoint: Path = arguments.checkpoint
    ready = ready_engines(arguments.engines_from, fingerprint(checkpoint)) if arguments.engines_from else None
    return pack(
        checkpoint,
        arguments.out,
        kind="household" if arguments.adapters else "base",
        calibration=read_calibration(arguments.calibration or checkpoint / CALIBRATION),
        evaluation=_notes(arguments.evaluation, checkpoint / _EVALUATION),
        made_by=_notes(arguments.made_by, checkpoint / _MADE_BY),
        config=config,
        adapters=arguments.adapters,
        golden=read_golden(arguments.golden) if arguments.golden else None,
        ready=ready,
        progress=say,
    )


def _notes(given: Path | None, usual: Path) -> dict[str, Any]:
    """Notes from a file that was named, else from the usual one where there is one."""
    if given is not None:
        return read_notes(given)
    return read_notes(usual) if usual.is_file() else {}


def _summary(bundle: Bundle, seconds: float) -> dict[str, Any]:
    parity = bundle.manifest.evaluation["parity"]
    summary = {
        "bundle_id": bundle.bundle_id,
        "kind": bundle.manifest.kind,
        "base": bundle.manifest.base,
        "mb": round(size_mib(bundle), 3),
        "max_abs": max(parity["max_abs"].values()),
        "parity": parity,
        "seconds": round(seconds, 1),
    }
    if "perturbed_max_abs" in parity:
        summary["perturbed_max_abs"] = max(parity["perturbed_max_abs"].values())
    return summary


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description="Make a bundle from a checkpoint.")
    parser.add_argument("config", type=Path, help="configs/export/*.toml")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder written by train.base")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the bundle; a bundle there is replaced"
    )
    parser.add_argument("--adapters", type=Path, nargs="*", default=[], help="members of a household bundle")
    parser.add_argument("--calibration", type=Path, help=f"default: {CALIBRATION} in the checkpoint")
    parser.add_argument("--evaluation", type=Path, help=f"default: {_EVALUATION} in the checkpoint, if there")
    parser.add_argument("--made-by", type=Path, help=f"default: {_MADE_BY} in the checkpoint, if there")
    parser.add_argument(
        "--golden", type=Path, help=".safetensors with `<engine>.in.<name>` for the self-test"
    )
    parser.add_argument("--engines-from", type=Path, help="a bundle of this checkpoint: do not export again")
    parser.add_argument("--quick", action="store_true", help="do not export and compare perturbed weights")
    parser.add_argument("--json", type=Path, help="write the JSON line to this file, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
