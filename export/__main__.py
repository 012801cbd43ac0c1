"""`python -m export CONFIG [--checkpoint DIR] [--out DIR]`: a bundle from a checkpoint.

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

from device.paths import base_bundle
from export.answers import kinds_told
from export.config import load_export_config
from export.files import read_golden, read_notes, read_windows, ready_engines
from export.pack import PruneWish, pack, size_mib
from export.report import parity_page
from runtime.contract.bundle import MANIFEST, Bundle
from runtime.contract.errors import PvchatError, UsageError
from train.checkpoint import CALIBRATION, fingerprint, read_calibration


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
    for text in kinds_told(bundle.manifest.evaluation["parity"]["language"]["kinds"]):
        say(text)
    if arguments.report is not None:
        command = f"python -m export {arguments.config}"
        arguments.report.write_text(parity_page(bundle, command), encoding="utf-8")
    line = json.dumps(_summary(bundle, time.monotonic() - began), sort_keys=True)
    if arguments.json is not None:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)
    return 0


def _export(arguments: argparse.Namespace, say: Any) -> Bundle:
    config = load_export_config(arguments.config)
    if arguments.quick:
        config = dataclasses.replace(config, prove_perturbed=False)
    if arguments.windows is not None and arguments.prune_heads != "measured":
        raise UsageError("--windows is for heads that are measured.", "Add --prune-heads measured.")
    windows = () if arguments.windows is None else read_windows(arguments.windows)
    checkpoint: Path = arguments.checkpoint
    ready = ready_engines(arguments.engines_from, fingerprint(checkpoint)) if arguments.engines_from else None
    return pack(
        checkpoint,
        arguments.out or Path("out") / "export" / arguments.config.stem,
        kind="household" if arguments.adapters else "base",
        calibration=read_calibration(arguments.calibration or checkpoint / CALIBRATION),
        evaluation=_notes(arguments.evaluation, checkpoint, "evaluation"),
        made_by=_notes(arguments.made_by, checkpoint, "made_by"),
        config=config,
        adapters=arguments.adapters,
        golden=read_golden(arguments.golden) if arguments.golden else None,
        ready=ready,
        pruning=None if arguments.prune_heads is None else PruneWish(arguments.prune_heads, windows),
        progress=say,
    )


def _notes(given: Path | None, checkpoint: Path, what: str) -> dict[str, Any]:
    """Notes from a named file, else from beside the checkpoint, else from the bundle that it lies in."""
    usual = checkpoint / f"{what}.json"
    if given is not None or usual.is_file():
        return read_notes(given or usual)
    if not (checkpoint.parent / MANIFEST).is_file():
        return {}
    notes = getattr(Bundle.open(checkpoint.parent).manifest, what)
    return {name: value for name, value in notes.items() if name not in ("parity", "export")}


def _summary(bundle: Bundle, seconds: float) -> dict[str, Any]:
    parity = bundle.manifest.evaluation["parity"]
    summary = {
        "bundle_id": bundle.bundle_id,
        "kind": bundle.manifest.kind,
        "base": bundle.manifest.base,
        "mb": round(size_mib(bundle), 3),
        "max_abs": max(parity["max_abs"].values()),
        "parity": parity,
        "on_the_box": "pvchat-edge bundle build-engines" if bundle.manifest.build else None,
        "seconds": round(seconds, 1),
    }
    if "perturbed_max_abs" in parity:
        summary["perturbed_max_abs"] = max(parity["perturbed_max_abs"].values())
    return summary


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description="Make a bundle from a checkpoint.")
    parser.add_argument("config", type=Path, help="configs/export/*.toml")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=base_bundle() / "checkpoint",
        help="default: the package's own base",
    )
    parser.add_argument("--out", type=Path, help="default: out/export/PROFILE; a bundle there is replaced")
    parser.add_argument("--adapters", type=Path, nargs="*", default=[], help="members of a household bundle")
    parser.add_argument("--calibration", type=Path, help=f"default: {CALIBRATION} in the checkpoint")
    parser.add_argument(
        "--evaluation", type=Path, help="default: evaluation.json in the checkpoint, if there"
    )
    parser.add_argument("--made-by", type=Path, help="default: made_by.json in the checkpoint, if there")
    parser.add_argument(
        "--golden", type=Path, help=".safetensors with `<engine>.in.<name>` for the self-test"
    )
    parser.add_argument("--engines-from", type=Path, help="a bundle of this checkpoint: do not export again")
    parser.add_argument(
        "--prune-heads", choices=("proven", "measured"), help="cut routed heads that are never open"
    )
    parser.add_argument(
        "--windows",
        type=Path,
        help=".safetensors with `bridge.in.<name>` of a household's windows, to measure on",
    )
    parser.add_argument("--quick", action="store_true", help="do not export and compare perturbed weights")
    parser.add_argument("--report", type=Path, help="write how near the engines are to torch, as Markdown")
    parser.add_argument("--json", type=Path, help="write the JSON line to this file, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
