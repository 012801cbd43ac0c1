"""`python -m export.windows`: a household's windows as the bridge sees them, to measure idle heads on.

Clips go through the runtime's own session with the household's people installed; what it gives the bridge is
kept. The file is as personal as the clips: it holds embeddings of whoever is in them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors.numpy

from runtime.adapters import read_adapter
from runtime.atomic import write_atomic
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle, EngineSpec
from runtime.contract.dialogue import Intent
from runtime.contract.errors import ContentError, PvchatError, UsageError
from runtime.contract.prompt import MAX_SUBJECTS
from runtime.contract.serving import AdapterRef, ClipSource
from runtime.engines.base import Array, Engine
from runtime.session.local import LocalSession
from runtime.session.models import BRIDGE, load_models

_DEADLINE_S = 600.0


class Recorder:
    """An engine that keeps what it was given."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.seen: list[dict[str, Array]] = []

    @property
    def specs(self) -> EngineSpec:
        """As the engine's."""
        return self._engine.specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As the engine's."""
        self.seen.append({name: np.array(array) for name, array in inputs.items()})
        return self._engine.run(inputs)


def record_windows(root: Path, adapters: Sequence[Path], clips: Sequence[Path]) -> dict[str, Array]:
    """Every window of the clips: `bridge.in.<name>`, windows first.

    Args:
        root: the bundle. adapters: 1 to 8 people, who look for themselves in every window.

    Raises:
        UsageError: nobody, or more than 8. ContentError: no window shows anybody.
    """
    if not 1 <= len(adapters) <= MAX_SUBJECTS:
        raise UsageError(f"windows are recorded for 1 to {MAX_SUBJECTS} people, got {len(adapters)}.")
    bundle = Bundle.open(root)
    config = RuntimeConfig(device="cpu")
    models = load_models(bundle, config)
    recorder = Recorder(models.engines[BRIDGE])
    models.engines[BRIDGE] = recorder
    session = LocalSession(bundle, models, config)
    session.set_subjects([_ref(path, bundle) for path in adapters])
    for clip in clips:
        session.answer(ClipSource(clip), Intent("who"), {}, None, lambda: _DEADLINE_S)
    if not recorder.seen:
        raise ContentError(f"nobody was seen in {len(clips)} clips.", "Give clips with people in them.")
    names = recorder.seen[0]
    return {f"bridge.in.{name}": np.stack([window[name] for window in recorder.seen]) for name in names}


def main(argv: Sequence[str] | None = None) -> int:
    """Record once; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m export.windows", description="Windows of a household.")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--adapters", type=Path, nargs="+", required=True, help="members of the household")
    parser.add_argument("--clips", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    arguments = parser.parse_args(argv)
    try:
        tensors = record_windows(arguments.bundle, arguments.adapters, arguments.clips)
        write_atomic(arguments.out, safetensors.numpy.save(tensors))
    except PvchatError as error:
        sys.stderr.write(f"pvchat-edge windows: {error}\n")
        return error.exit_code
    count = len(next(iter(tensors.values())))
    sys.stdout.write(json.dumps({"windows": count, "out": str(arguments.out)}) + "\n")
    return 0


def _ref(path: Path, bundle: Bundle) -> AdapterRef:
    adapter, _ = read_adapter(path, base=bundle.manifest.base, shapes=bundle.manifest.shapes)
    return AdapterRef(adapter.subject_id, path, adapter.release)


if __name__ == "__main__":
    sys.exit(main())
