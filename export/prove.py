"""The finished bundle, opened and tested as the box will do it, before anybody gets it. Knows no torch.

The golden clip goes through the runtime's own preprocessing with the manifest's numbers, so that a swapped
mean is seen; what it must give was computed with the numbers of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.wrappers import Floats
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.errors import BundleError
from runtime.contract.pixels import PixelSpec, to_vision_input
from runtime.engines.base import Array
from runtime.session.models import load_models
from runtime.session.selftest import CLIP_FRAMES, CLIP_OUT, selftest_problems

_WIDTH, _HEIGHT, _BLOCK = 160, 120, 20
_FACES = "faces:"  # of the box's own libraries, which a workshop may lack


def golden_frames(seed: int) -> NDArray[np.uint8]:
    """uint8 (1, 120, 160, 3): blocks of colour, red, green and blue far from each other."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (1, _HEIGHT // _BLOCK, _WIDTH // _BLOCK, 3)) * np.array([1.0, 0.6, 0.3])
    blocks = coarse.astype(np.uint8).repeat(_BLOCK, axis=1).repeat(_BLOCK, axis=2)
    return np.asarray(blocks, dtype=np.uint8)


def trained_pixels(frames: NDArray[np.uint8], spec: PixelSpec) -> Floats:
    """Frames as training prepares them: sizes of the model, all other numbers as `PixelSpec` has them."""
    return to_vision_input(frames, PixelSpec(width=spec.width, height=spec.height))


def clip_tensors(frames: NDArray[np.uint8], outputs: Mapping[str, Array]) -> dict[str, Array]:
    """The golden clip as the bundle keeps it."""
    return {CLIP_FRAMES: frames, **{f"{CLIP_OUT}{name}": array for name, array in outputs.items()}}


def prove_bundle(root: Path) -> None:
    """Hash, load and self-test a bundle with the runtime's own code, adapters included.

    Raises:
        BundleError: anything that the box would complain of.
    """
    bundle = Bundle.open(root)
    bundle.verify()
    models = load_models(bundle, RuntimeConfig(device="cpu", threads=1))
    problems = selftest_problems(bundle, models, None)
    for path in bundle.role("adapter"):
        problems += selftest_problems(bundle, models, path)
    found = sorted({problem for problem in problems if not problem.startswith(_FACES)})
    if found:
        raise BundleError(f"the bundle fails its own self-test: {' '.join(found)}", "Nothing was packed.")
