"""Runs an engine that takes so many rows at most, as often as there are rows. Knows no inference library."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runtime.contract.bundle import EngineSpec
from runtime.engines.base import Array, Engine, check_inputs


class PartedEngine:
    """An engine whose rows (frames or crops, the first axis of all tensors) do not know each other."""

    def __init__(self, role: str, engine: Engine, most: int) -> None:
        """`most`: rows of one run."""
        self.role, self._engine, self._most = role, engine, most

    @property
    def specs(self) -> EngineSpec:
        """What goes in and out."""
        return self._engine.specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name; see `Engine.run`."""
        check_inputs(self.role, self.specs, inputs)
        rows = len(next(iter(inputs.values())))
        if rows <= self._most:
            return self._engine.run(inputs)
        parts = [
            self._engine.run({name: array[start : start + self._most] for name, array in inputs.items()})
            for start in range(0, rows, self._most)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def row_letter(specs: EngineSpec) -> str | None:
    """The letter that every tensor of the engine begins with; None where its rows are not independent."""
    first = {spec.shape[0] if spec.shape else None for spec in (*specs.inputs, *specs.outputs)}
    letter = first.pop() if len(first) == 1 else None
    return letter if isinstance(letter, str) else None
