"""`bundle show [DIR]`: what a bundle says of itself. Hashes nothing (see `bundle verify`)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.cli.output import Output, table
from device.paths import Home
from runtime.contract.bundle import Bundle, EngineSpec, TensorSpec


def arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="default: the bundle in use")


def run(args: argparse.Namespace, out: Output) -> int:
    """A short description, or everything with --json."""
    bundle = Bundle.open(args.folder or Home.from_environment().current_bundle())
    manifest = bundle.manifest
    sizes = {entry.path: entry.size_bytes for entry in manifest.files}
    built = manifest.build.get("tensorrt", {}).get("roles", [])
    engines = {
        role: {
            "path": spec.path,
            "precision": spec.precision,
            "size_bytes": sizes.get(spec.path, 0),
            "built_on_the_box": role in built,
            "inputs": _tensors(spec.inputs),
            "outputs": _tensors(spec.outputs),
        }
        for role, spec in manifest.engines.items()
    }
    data = {
        "bundle_id": bundle.bundle_id, "path": str(bundle.root), "schema": manifest.schema,
        "kind": manifest.kind, "base": manifest.base, "size_bytes": sum(sizes.values()), "engines": engines,
        "adapters": len(bundle.role("adapter")), "shapes": manifest.shapes, "budgets": manifest.budgets,
        "evaluation": manifest.evaluation, "made_by": manifest.made_by, "build": manifest.build,
    }  # fmt: skip
    out.result(data, _text(bundle, engines))
    return 0


def _text(bundle: Bundle, engines: Mapping[str, Mapping[str, Any]]) -> str:
    manifest = bundle.manifest
    size = sum(entry.size_bytes for entry in manifest.files) / 1e6
    head = (
        f"Bundle {bundle.bundle_id}: {manifest.kind}, schema {manifest.schema}, base {manifest.base[:12]}, "
        f"{len(manifest.files)} files, {size:.1f} MB, {len(bundle.role('adapter'))} adapters."
    )
    rows = [
        (role, one["precision"], f"{one['size_bytes'] / 1e6:.2f} MB", _shown(manifest.engines[role]))
        + (("built on the box",) if one["built_on_the_box"] else ("",))
        for role, one in engines.items()
    ]
    return f"{head}\n{table(rows)}"


def _shown(spec: EngineSpec) -> str:
    return ", ".join(f"{one.name} {_shape(one)}" for one in spec.inputs[:2]) + (
        f" and {len(spec.inputs) - 2} more" if len(spec.inputs) > 2 else ""
    )


def _shape(spec: TensorSpec) -> str:
    return f"({', '.join(map(str, spec.shape))})"


def _tensors(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    return [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in specs]
