"""Models of others beside the bundle: loaded when they are first needed, found as soon as they are installed.

Knows no bundle.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.engines.base import Engine
from runtime.engines.ort import OrtEngine
from runtime.people.persons import BOXES, PersonFinder
from runtime.people.persons import SIDE as PERSON_SIDE
from runtime.people.yunet import OUTPUTS, YuNet
from runtime.people.yunet import SIDE as FACE_SIDE
from runtime.registry import ModelCard, ModelRole, read_model, registry

Floats = NDArray[np.float32]
_PERSONS = EngineSpec(
    "",
    (TensorSpec("images", "float32", (1, 3, PERSON_SIDE, PERSON_SIDE)),),
    (TensorSpec("output", "float32", (1, *BOXES)),),
)
_FACES = EngineSpec(
    "",
    (TensorSpec("input", "float32", (1, 3, FACE_SIDE, FACE_SIDE)),),
    tuple(TensorSpec(name, "float32", (1, *shape)) for name, shape in OUTPUTS.items()),
)


class Others:
    """The folder of installed models; may be called by several threads, which then may load one twice."""

    def __init__(self, folder: Path, provider: str, threads: int) -> None:
        self._folder, self._provider, self._threads = folder, provider, threads
        self._engines: dict[ModelRole, Engine] = {}

    def persons(self) -> PersonFinder | None:
        """The person detector; None where none is installed.

        Raises:
            EngineError: the file is damaged or does not load.
        """
        engine = self._engine("person_detector", _PERSONS)
        return None if engine is None else PersonFinder(lambda pixels: _run(engine, pixels)["output"])

    def faces(self) -> YuNet | None:
        """The face detector; None where none is installed.

        Raises:
            EngineError: the file is damaged or does not load.
        """
        engine = self._engine("face_detector", _FACES)
        return None if engine is None else YuNet(lambda pixels: _run(engine, pixels))

    def _engine(self, role: ModelRole, specs: EngineSpec) -> Engine | None:
        if role not in self._engines:
            for card in registry():
                if card.role == role and (raw := read_model(card, self._folder)) is not None:
                    self._engines[role] = self._load(card, raw, specs)
                    break
        return self._engines.get(role)

    def _load(self, card: ModelCard, raw: bytes, specs: EngineSpec) -> Engine:
        specs = replace(specs, path=card.file)
        return OrtEngine(card.name, raw, specs, provider=self._provider, threads=self._threads)


def _run(engine: Engine, pixels: Floats) -> dict[str, Floats]:
    """The network's outputs of one picture, by name."""
    found = engine.run({engine.specs.inputs[0].name: pixels})
    return {name: np.asarray(array[0], dtype=np.float32) for name, array in found.items()}
