"""Made-up inputs of the engines, plausible in shape and scale. Knows no weights, no clip and no person.

They show that an engine computes what torch computes; they say nothing about how good the model is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.specs import ENROL_TOKENS, WINDOW_TOKENS, torch_specs
from export.wrappers import Floats
from runtime.contract.bundle import EngineSpec
from train.model.pvchat import ModelConfig

_TRACKS = 4


def sample_inputs(config: ModelConfig, role: str, *, size: int, seed: int) -> dict[str, Floats]:
    """Inputs of one engine.

    Args:
        size: of the engine's free letter: frames, crops or subjects; without meaning for enrol.
        seed: the same seed gives the same arrays.
    """
    rng = np.random.default_rng([seed, size, len(role)])
    specs = torch_specs(config)[role]
    if role in ("vision", "head", "body"):
        return {spec.name: _pixels(rng, _shape(spec.shape, size)) for spec in specs.inputs}
    if role == "enrol":
        return _tokens(rng, specs, ENROL_TOKENS, tracks=1)
    return _bridge(rng, specs, size)


def _shape(letters: tuple[str | int, ...], size: int) -> tuple[int, ...]:
    return tuple(letter if isinstance(letter, int) else size for letter in letters)


def _pixels(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Blocks of colour with noise, in the range of normalised pixels."""
    count, channels, height, width = shape
    coarse = rng.uniform(-2.0, 2.5, (count, channels, height // 16, width // 16))
    blocks = coarse.repeat(16, axis=2).repeat(16, axis=3)
    return np.asarray(blocks + rng.normal(0, 0.1, shape), dtype=np.float32)


def _unit(rows: Floats) -> Floats:
    norm = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norm, 1e-6), dtype=np.float32)


def _tokens(rng: np.random.Generator, specs: EngineSpec, count: int, *, tracks: int) -> dict[str, Floats]:
    """Person tokens: `tracks` people over eight frames each, the last quarter of the places empty."""
    shapes = {spec.name: _shape(spec.shape, 1) for spec in specs.inputs}
    steps = np.arange(count)
    track, frame = steps // 8 % tracks, steps % 8
    people = rng.normal(size=(tracks, shapes["person_embed"][1]))
    embed = people[track] + rng.normal(0, 0.4, shapes["person_embed"])
    geom = np.zeros(shapes["person_geom"], dtype=np.float32)
    geom[:, 0] = 0.2 + 0.2 * track + 0.02 * frame
    geom[:, 1:4] = rng.uniform(0.08, 0.3, (count, 3))
    geom[:, 4] = rng.uniform(0.2, 1.0, count)
    geom[:, 5:7] = rng.normal(0, 0.1, (count, 2))
    geom[:, 7] = frame / 8
    geom[:, 8] = 1.0
    geom[:, 10] = track / 8
    geom[:, 11] = 1.0
    valid = (steps < count * 3 // 4).astype(np.float32)
    return {
        "person_embed": np.asarray(_unit(np.asarray(embed, dtype=np.float32)) * valid[:, None]),
        "person_geom": np.asarray(geom * valid[:, None]),
        "person_valid": valid,
    }


def _bridge(rng: np.random.Generator, specs: EngineSpec, subjects: int) -> dict[str, Floats]:
    """A window: the first subject is the first track's person, an odd number of subjects has no scene."""
    shapes = {spec.name: _shape(spec.shape, subjects) for spec in specs.inputs}
    inputs = _tokens(rng, specs, WINDOW_TOKENS, tracks=_TRACKS)
    with_scene = np.float32(1 - subjects % 2)
    scene = rng.normal(size=shapes["scene"]) * with_scene
    templates = rng.normal(size=shapes["templates"])
    signs = rng.normal(0, 2.0, shapes["person_signs"]) * inputs["person_valid"][:, None]
    templates[0] = inputs["person_embed"][:8].sum(axis=0)
    made: dict[str, NDArray[Any]] = {
        "scene": scene,
        "scene_valid": np.full(1, with_scene),
        "person_signs": signs,
        "queries": rng.normal(0, 0.3, shapes["queries"]),
        "templates": _unit(np.asarray(templates, dtype=np.float32)),
        "subject_valid": np.ones(shapes["subject_valid"]),
        "delta_a": rng.normal(0, 0.1, shapes["delta_a"]),
        "delta_b": rng.normal(0, 0.1, shapes["delta_b"]),
    }
    if subjects > 2:  # a padded place, as the runtime leaves it
        for name in ("queries", "templates", "subject_valid", "delta_a", "delta_b"):
            made[name][-1] = 0
    inputs.update({name: np.asarray(value, dtype=np.float32) for name, value in made.items()})
    return {spec.name: inputs[spec.name] for spec in specs.inputs}
