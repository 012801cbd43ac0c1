"""Models of others beside the bundle: loaded when they are first needed, found as soon as they are installed.

Knows no bundle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.engines.base import Engine
from runtime.engines.ort import OrtEngine
from runtime.people.persons import BOXES, SIDE, PersonFinder
from runtime.registry import ModelCard, ModelRole, read_model, registry

_ROLE: ModelRole = "person_detector"
_IN, _OUT = "images", "output"


class Others:
    """The folder of installed models; may be called by several threads, which then may load one twice."""

    def __init__(self, folder: Path, provider: str, threads: int) -> None:
        self._folder, self._provider, self._threads = folder, provider, threads
        self._persons: PersonFinder | None = None

    def persons(self) -> PersonFinder | None:
        """The person detector; None where none is installed.

        Raises:
            EngineError: the file is damaged or does not load.
        """
        if self._persons is None:
            for card in registry():
                if card.role == _ROLE and (raw := read_model(card, self._folder)) is not None:
                    self._persons = _finder(self._engine(card, raw))
                    break
        return self._persons

    def _engine(self, card: ModelCard, raw: bytes) -> Engine:
        specs = EngineSpec(
            card.file,
            (TensorSpec(_IN, "float32", (1, 3, SIDE, SIDE)),),
            (TensorSpec(_OUT, "float32", (1, *BOXES)),),
        )
        return OrtEngine(card.name, raw, specs, provider=self._provider, threads=self._threads)


def _finder(engine: Engine) -> PersonFinder:
    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(engine.run({_IN: pixels})[_OUT][0], dtype=np.float32)

    return PersonFinder(run)
