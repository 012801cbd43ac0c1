"""Faces in ordinary footage: finds, aligns and embeds them with dlib. Knows no clips, tracks or subjects.

Of the weights package only two files are read, the five-point landmarks and the embedding network; the
68-point landmarks next to them may not be used commercially and are never opened.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import EngineError
from runtime.contract.pixels import Box

FACE_WIDTH = 128
EMBEDDING_NORM = 1.464
"""Mean length of dlib's raw embeddings (320 faces of 13 people, standard deviation 0.040)."""

_LANDMARKS = "shape_predictor_5_face_landmarks.dat"
_EMBEDDER = "dlib_face_recognition_resnet_model_v1.dat"
_MIN_SCORE = 0.2
_ENLARGE_BELOW_PX = 800
_UNREADABLE_PX = 36.0
_CLEAR_PX = 100.0


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame.

    Attributes:
        box: x, y, width, height in pixels of the frame.
        score: the detector's margin; 0.2 and more.
        quality: 0..1 from size and score; how well this face can tell who it is.
        landmarks: the library's own five points, for `FaceEngine.embed`.
    """

    box: Box
    score: float
    quality: float
    landmarks: Any


class FaceEngine:
    """dlib's HOG detector, landmarks and embedding network; may be called by several threads."""

    def __init__(self) -> None:
        """Load the networks (about a second).

        Raises:
            EngineError: dlib or its weights are not installed.
        """
        folder = _weights_folder()
        try:
            library = importlib.import_module("dlib")
        except ImportError as error:
            raise EngineError(
                "the face library (dlib) does not load.", "Install `dlib-bin`, or pvchat-edge again."
            ) from error
        try:
            self._detector = library.get_frontal_face_detector()
            self._landmarks = library.shape_predictor(str(folder / _LANDMARKS))
            self._embedder = library.face_recognition_model_v1(str(folder / _EMBEDDER))
        except RuntimeError as error:
            raise EngineError(f"the face weights cannot be read: {error}.", "Install them again.") from error
        self._lock = threading.Lock()

    def find(self, frame: NDArray[np.uint8]) -> list[Face]:
        """Faces of a frame, largest first; frames narrower than 800 pixels are enlarged twice before.

        Args:
            frame: uint8 (H, W, 3), RGB.
        """
        enlarge = int(frame.shape[1] < _ENLARGE_BELOW_PX)
        frame = np.ascontiguousarray(frame)
        with self._lock:
            boxes, scores, _ = self._detector.run(frame, enlarge, _MIN_SCORE)
            found = [
                _face(box, float(score), self._landmarks(frame, box))
                for box, score in zip(boxes, scores, strict=True)
            ]
        return sorted(found, key=lambda face: -face.box[2])

    def embed(self, frame: NDArray[np.uint8], faces: Sequence[Face]) -> NDArray[np.float32]:
        """float32 (N, 128) unit embeddings of faces of this frame."""
        if not faces:
            return np.zeros((0, FACE_WIDTH), dtype=np.float32)
        frame = np.ascontiguousarray(frame)
        with self._lock:
            raw = [self._embedder.compute_face_descriptor(frame, face.landmarks) for face in faces]
        rows = np.asarray([list(row) for row in raw], dtype=np.float32)
        if not np.isfinite(rows).all():
            raise EngineError("the face network computes values that are not finite.")
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@functools.cache
def shared_faces() -> FaceEngine:
    """The process's one face engine, loaded when first asked for.

    Raises:
        EngineError: dlib or its weights are not installed.
    """
    return FaceEngine()


def face_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances between unit embeddings, in the units that dlib's raw embeddings are published in.

    Args:
        a: float32 (N, 128); b: float32 (M, 128).

    Returns:
        float32 (N, M), 0..2.93.
    """
    cosine = np.clip(a @ b.T, -1.0, 1.0)
    return np.asarray(EMBEDDING_NORM * np.sqrt(2.0 - 2.0 * cosine), dtype=np.float32)


def _face(box: Any, score: float, landmarks: Any) -> Face:
    width = float(box.width())
    size = (width - _UNREADABLE_PX) / (_CLEAR_PX - _UNREADABLE_PX)
    certainty = 0.3 + 0.5 * score
    quality = min(1.0, max(0.0, size)) * min(1.0, certainty)
    return Face((float(box.left()), float(box.top()), width, float(box.height())), score, quality, landmarks)


def _weights_folder() -> Path:
    """Where the weights lie; the package itself is never imported (it needs a retired library)."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise EngineError(
            "the face weights (face_recognition_models) are not installed.", "Install pvchat-edge again."
        )
    return Path(spec.origin).parent / "models"
