"""Whether a bundle computes here what it computed in the workshop. Knows no questions and no clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.adapters import read_adapter
from runtime.contract.adapter import Adapter
from runtime.contract.bundle import HALF, W4A8, Bundle
from runtime.contract.errors import PvchatError
from runtime.contract.pixels import to_vision_input
from runtime.engines.base import Array
from runtime.session.judge import sign_inputs, subject_inputs
from runtime.session.models import Models, read_tensors

TOLERANCE = 1e-3
ROUNDED = (HALF, W4A8)
ROUNDED_COSINE, ROUNDED_COSINE_BRIDGE, ROUNDED_LARGEST = 0.999, 0.99, 0.05
"""Of engines that round while they compute: least cosine, largest difference as a share of the largest."""
GOLDEN_ROLE = "golden"
CLIP_FRAMES, CLIP_OUT = "vision.clip.frames", "vision.clip.out."
_CANARY_SEED = 20
_CANARY_SLOTS = 2
Floats = NDArray[np.float32]


def selftest_problems(bundle: Bundle, models: Models, adapter: Path | None) -> list[str]:
    """One line per problem; empty: everything agrees.

    Golden files hold `<engine>.in.<name>` (float16 stands for float32) and `<engine>.out.<name>`; the frames
    `vision.clip.frames`, uint8 (T, H, W, 3), are prepared here and give `vision.clip.out.<name>`. Outputs
    must agree within 1e-3, those of engines that round while they compute by cosine and largest difference.
    The canary asks whether evidence for one subject changes by a bit when another one is installed.

    Args:
        adapter: an adapter file that must fit and run, too.
    """
    golden = [entry.path for entry in bundle.manifest.files if entry.role == GOLDEN_ROLE]
    problems = [] if golden else ["the bundle has no golden clips."]
    for path in golden:
        problems += _golden(bundle, models, path)
    problems += _canary(models)
    if adapter is not None:
        problems += _runs(models, adapter)
    try:
        _ = models.faces
    except PvchatError as error:
        problems.append(f"faces: {error}")
    return problems


def _golden(bundle: Bundle, models: Models, path: str) -> list[str]:
    try:
        tensors = read_tensors(bundle, path)
    except PvchatError as error:
        return [f"{path}: {error}"]
    problems: list[str] = []
    roles = sorted({name.split(".", 1)[0] for name in tensors})
    for role in roles:
        inputs = {n.split(".in.", 1)[1]: _fed(a) for n, a in tensors.items() if n.startswith(f"{role}.in.")}
        problems += _compare(bundle, models, role, path, inputs, _starting(tensors, f"{role}.out."))
    if CLIP_FRAMES in tensors:
        pixels = to_vision_input(tensors[CLIP_FRAMES].astype(np.uint8), bundle.manifest.pixels)
        problems += _compare(bundle, models, "vision", path, {"pixels": pixels}, _starting(tensors, CLIP_OUT))
    return problems


def _starting(tensors: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _compare(
    bundle: Bundle, models: Models, role: str, path: str, inputs: dict[str, Array], wanted: dict[str, Array]
) -> list[str]:
    if role not in models.engines or not wanted:
        return [f"{path}: nothing to compare for engine {role!r}."]
    try:
        outputs = models.engines[role].run(inputs)
    except PvchatError as error:
        return [f"{path}: {error}"]
    rounded = bundle.manifest.engines[role].precision in ROUNDED
    return [
        f"{path}: {problem}"
        for name, expected in sorted(wanted.items())
        if (problem := _differs(f"{role}.{name}", outputs.get(name), expected, rounded=rounded))
    ]


def _fed(array: NDArray[np.generic]) -> Array:
    """An input as the engine takes it."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _differs(
    name: str, got: NDArray[np.generic] | None, expected: NDArray[np.generic], *, rounded: bool
) -> str:
    if got is None:
        return f"{name} is no output of the engine."
    if got.shape != expected.shape or not np.isfinite(expected.astype(np.float64)).all():
        return f"{name} is {got.shape}, the golden one {expected.shape}, or that is not finite."
    a, b = got.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    apart = float(np.abs(a - b).max(initial=0.0))
    if rounded:
        return _differs_rounded(name, a, b, apart)
    return f"{name} differs by {apart:.2g}, allowed is {TOLERANCE:g}." if apart > TOLERANCE else ""


def _differs_rounded(name: str, got: Array, expected: Array, apart: float) -> str:
    least = ROUNDED_COSINE_BRIDGE if name.startswith("bridge.") else ROUNDED_COSINE
    cosine = float(got @ expected / max(float(np.linalg.norm(got) * np.linalg.norm(expected)), 1e-12))
    largest = ROUNDED_LARGEST * max(1.0, float(np.abs(expected).max(initial=0.0)))
    if cosine >= least and apart <= largest:
        return ""
    limits = f"allowed are {least} at least and {largest:.2g} at most"
    return f"{name} has the cosine {cosine:.4f} and differs by {apart:.2g}, {limits}."


def _canary(models: Models) -> list[str]:
    """Subject A's evidence with and without B, bit for bit, at the same shape."""
    rng = np.random.default_rng(_CANARY_SEED)
    alice, bob = _random_adapter(models, rng, 1), _random_adapter(models, rng, 2)
    window = _random_window(models, rng)
    shapes = models.manifest.shapes
    bridge = models.engines["bridge"]
    try:
        alone = bridge.run({**window, **subject_inputs([alice], shapes, _CANARY_SLOTS)})
        both = bridge.run({**window, **subject_inputs([alice, bob], shapes, _CANARY_SLOTS)})
    except PvchatError as error:
        return [f"canary: {error}"]
    leaks = [
        name
        for name in ("presence", "match", "subject_rows")
        if alone[name][0].tobytes() != both[name][0].tobytes()
    ]
    return [f"canary: another subject changes {', '.join(leaks)}."] if leaks else []


def _runs(models: Models, path: Path) -> list[str]:
    shapes = models.manifest.shapes
    try:
        adapter, _ = read_adapter(path, base=models.manifest.base, shapes=shapes)
        window = _random_window(models, np.random.default_rng(_CANARY_SEED))
        models.engines["bridge"].run({**window, **subject_inputs([adapter], shapes)})
    except PvchatError as error:
        return [f"adapter {path.name}: {error}"]
    return []


def _random_adapter(models: Models, rng: np.random.Generator, number: int) -> Adapter:
    s = models.manifest.shapes
    view = rng.standard_normal((1, s["E"]))
    sizes: dict[str, tuple[int, ...]] = {
        "queries": (s["Q"], s["D"]),
        "delta_a": (s["K"], s["D"], s["R"]),
        "delta_b": (s["K"], s["R"], s["D"]),
    }
    arrays = {name: (rng.standard_normal(size) * 0.2).astype(np.float32) for name, size in sizes.items()}
    arrays["views.head"] = (view / np.linalg.norm(view)).astype(np.float32)
    return Adapter(f"s{number:032x}", models.manifest.base, "instant", 1, arrays)


def _random_window(models: Models, rng: np.random.Generator) -> dict[str, Floats]:
    manifest = models.manifest
    s = manifest.shapes
    embed = rng.standard_normal((s["M"], s["E"]))
    valid = (np.arange(s["M"]) < s["M"] // 2).astype(np.float32)
    unit = embed / np.linalg.norm(embed, axis=1, keepdims=True)
    return {
        "scene": rng.standard_normal((manifest.pixels.window_frames, s["P"], s["Dv"])).astype(np.float32),
        "scene_valid": np.ones(1, dtype=np.float32),
        "person_embed": (unit * valid[:, None]).astype(np.float32),
        "person_geom": (rng.uniform(size=(s["M"], s["G"])) * valid[:, None]).astype(np.float32),
        "person_valid": valid,
        **sign_inputs((rng.normal(size=(s["M"], s.get("J", 0))) * valid[:, None]).astype(np.float32)),
    }
