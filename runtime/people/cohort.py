"""How alike two faces are, beyond what all faces share. Knows no engine and no subjects.

dlib's embeddings of two strangers have a cosine of 0.83: most of an embedding says only that it is a face.
Without the mean of a cohort of other people what is left tells people apart across sessions: of 90 pairs of
photographs of the same person from different occasions, the distance that accepts nobody else who sits before
the same camera accepts a quarter, the centred cosine three quarters.
"""

from __future__ import annotations

import functools
import json
from importlib import resources

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@functools.cache
def face_cohort() -> Floats:
    """float32 (128,), the mean unit embedding of the faces of other people; where from: see the file."""
    text = resources.files("runtime.people").joinpath("face_cohort.json").read_text(encoding="utf-8")
    mean = np.asarray(json.loads(text)["mean"], dtype=np.float32)
    mean.setflags(write=False)
    return mean


def face_likeness(a: Floats, b: Floats) -> Floats:
    """Cosines of unit embeddings of faces once the cohort's mean is taken away.

    Args:
        a: float32 (N, 128); b: float32 (M, 128).

    Returns:
        float32 (N, M), -1..1: about 0 for strangers, 0.6 to 0.9 for a person on two occasions.
    """
    return np.asarray(np.clip(_centred(a) @ _centred(b).T, -1.0, 1.0), dtype=np.float32)


def _centred(rows: Floats) -> Floats:
    apart = rows - face_cohort()
    return np.asarray(apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6), np.float32)
