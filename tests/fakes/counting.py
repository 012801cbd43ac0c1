"""Engines that are counted while they work."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.contract.bundle import EngineSpec
from runtime.engines.base import Array, Engine
from runtime.session.models import Models


class Counting:
    """The real engine; `sizes` holds the length of the first input of every run."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sizes: list[int] = []

    @property
    def specs(self) -> EngineSpec:
        return self.engine.specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.sizes.append(len(inputs[self.specs.inputs[0].name]))
        return self.engine.run(inputs)


def count_engines(models: Models) -> dict[str, Counting]:
    """Put a counter around every engine of loaded models but the language model's."""
    counters = {role: Counting(engine) for role, engine in models.engines.items()}
    models.engines.update(counters)
    return counters
