"""What the command line reads besides the checkpoint: notes and golden inputs. Knows no model."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from export.wrappers import Arrays, Floats
from runtime.contract.bundle import Bundle
from runtime.contract.errors import BundleError


def read_notes(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BundleError: no such file, or no object in it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"cannot read {path}: {error}.", "Run `python -m train.base`.") from error
    if not isinstance(data, dict):
        raise BundleError(f"{path} holds no JSON object.")
    return data


def read_golden(path: Path) -> dict[str, Arrays]:
    """Golden inputs by engine from a .safetensors file with keys `<engine>.in.<name>`.

    Raises:
        BundleError: no such file, or a key of another form.
    """
    try:
        tensors = safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise BundleError(f"cannot read golden inputs {path}: {error}.") from error
    golden: dict[str, dict[str, Floats]] = defaultdict(dict)
    for key, array in tensors.items():
        role, mark, name = key.partition(".in.")
        if not mark:
            raise BundleError(f"{path}: the key {key!r} is not of the form `<engine>.in.<name>`.")
        golden[role][name] = np.asarray(array, dtype=np.float32)
    return dict(golden)


def read_windows(path: Path) -> tuple[Arrays, ...]:
    """Windows of a household: `bridge.in.<name>`, each with the windows as its first axis.

    Raises:
        BundleError: no such file, a key of another form, or arrays of different lengths.
    """
    stacked = read_golden(path).get("bridge", {})
    counts = {len(array) for array in stacked.values()}
    if len(counts) != 1:
        raise BundleError(f"{path} holds no windows: `bridge.in.<name>`, all of one length.")
    return tuple(
        {name: np.ascontiguousarray(array[at]) for name, array in stacked.items()}
        for at in range(counts.pop())
    )


def ready_engines(root: Path, base: str) -> dict[str, bytes]:
    """The engines of a bundle that was made from the checkpoint `base`.

    Raises:
        BundleError: no bundle, a damaged one, or one of another checkpoint.
    """
    bundle = Bundle.open(root)
    bundle.verify()
    if bundle.manifest.base != base:
        raise BundleError(
            f"the engines in {root} are of base {bundle.manifest.base[:12]}, the checkpoint is {base[:12]}.",
            "Leave --engines-from out.",
        )
    return {role: bundle.path(spec.path).read_bytes() for role, spec in bundle.manifest.engines.items()}
