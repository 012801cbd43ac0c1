"""Faces in ordinary footage: finds, aligns and embeds them with dlib. Knows no clips, tracks or subjects.

Another detector may find them (`FaceFinder`); what embeds them is always the same, so faces of both compare.

Of the weights package only two files are read, the five-point landmarks and the embedding network; the
68-point landmarks next to them may not be used commercially and are never opened.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import EngineError
from runtime.contract.pixels import Box
from runtime.people.turn import yaw_of

FACE_WIDTH = 128
EMBEDDING_NORM = 1.464
"""Mean length of dlib's raw embeddings (320 faces of 13 people, standard deviation 0.040)."""

_LANDMARKS = "shape_predictor_5_face_landmarks.dat"
_EMBEDDER = "dlib_face_recognition_resnet_model_v1.dat"
_MIN_SCORE = 0.2
_AGAIN = "Run `pvchat-edge doctor`, or install pvchat-edge again."
_ENLARGE_BELOW_PX = 800
UNREADABLE_PX = 36.0
_CLEAR_PX = 100.0
_TILTED_DEG = 15.0
"""Beyond this a face is turned upright before it is aligned: dlib's landmarks begin upright. Of the faces of
four people, turned by 20 to 40 degrees, the likeness to themselves rises from 0.95 to 0.97 in the mean."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame.

    Attributes:
        box: x, y, width, height in pixels of the frame: a square about brows, nose and mouth.
        score: the detector's own: dlib's margin, 0.2 and more, or a score 0..1.
        quality: 0..1 from size, score and pose; how well this face can tell who it is.
        tilt_deg: how far the line of the eyes falls to the picture's right; 0 where nobody says.
        turned: whether it looks so far aside that nobody can tell whose it is.
        yaw_deg: how far it looks to the picture's right, -90..90; None: not told.
    """

    box: Box
    score: float
    quality: float
    tilt_deg: float = 0.0
    turned: bool = False
    yaw_deg: float | None = None


class FaceFinder(Protocol):
    """What finds faces."""

    def find(self, frame: NDArray[np.uint8]) -> list[Face]:
        """Faces of a frame uint8 (H, W, 3), RGB; largest first."""


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
            self._library = library
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

        Raises:
            EngineError: the detector fails, or computes what is not finite.
        """
        enlarge = int(frame.shape[1] < _ENLARGE_BELOW_PX)
        frame = np.ascontiguousarray(frame)
        with self._lock, _failing("finds"):
            boxes, scores, _ = self._detector.run(frame, enlarge, _MIN_SCORE)
            found = [
                _face(box, float(score), self._points(frame, box))
                for box, score in zip(boxes, scores, strict=True)
            ]
        if not all(math.isfinite(face.score) for face in found):
            raise EngineError("the face detector computes values that are not finite.", _AGAIN)
        return sorted(found, key=lambda face: -face.box[2])

    def embed(self, frame: NDArray[np.uint8], faces: Sequence[Face]) -> NDArray[np.float32]:
        """float32 (N, 128) unit embeddings of faces of this frame.

        Raises:
            EngineError: the network fails, or computes what is not finite.
        """
        if not faces:
            return np.zeros((0, FACE_WIDTH), dtype=np.float32)
        frame = np.ascontiguousarray(frame)
        with self._lock, _failing("embeds"):
            raw = [self._descriptor(frame, face) for face in faces]
        rows = np.asarray([list(row) for row in raw], dtype=np.float32)
        if not np.isfinite(rows).all():
            raise EngineError("the face network computes values that are not finite.", _AGAIN)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    def _points(self, frame: NDArray[np.uint8], box: Any) -> NDArray[np.float32]:
        """float32 (3, 2): the middles of both eyes, as they stand in the picture, and the nose."""
        parts = self._landmarks(frame, box).parts()
        points = np.array([(part.x, part.y) for part in parts], dtype=np.float32)
        corners = points[:4][np.argsort(points[:4, 0])]
        return np.stack([corners[:2].mean(axis=0), corners[2:].mean(axis=0), points[4]])

    def _descriptor(self, frame: NDArray[np.uint8], face: Face) -> Any:
        box = face.box
        if abs(face.tilt_deg) > _TILTED_DEG:
            frame, box = _upright(frame, face)
        left, top, right, bottom = (round(v) for v in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
        square = self._library.rectangle(left, top, right - 1, bottom - 1)
        return self._embedder.compute_face_descriptor(frame, self._landmarks(frame, square))


@functools.cache
def shared_faces() -> FaceEngine:
    """The process's one face engine, loaded when first asked for.

    Raises:
        EngineError: dlib or its weights are not installed.
    """
    return FaceEngine()


@contextmanager
def _failing(verb: str) -> Iterator[None]:
    """The library's own errors as ours."""
    try:
        yield
    except RuntimeError as error:
        raise EngineError(f"what {verb} faces failed: {error}.", _AGAIN) from error


def face_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances between unit embeddings, in the units that dlib's raw embeddings are published in.

    Args:
        a: float32 (N, 128); b: float32 (M, 128).

    Returns:
        float32 (N, M), 0..2.93.
    """
    cosine = np.clip(a @ b.T, -1.0, 1.0)
    return np.asarray(EMBEDDING_NORM * np.sqrt(2.0 - 2.0 * cosine), dtype=np.float32)


def size_quality(width_px: float) -> float:
    """How much the size of a face allows to be told, 0..1: nothing at 36 pixels, everything at 100."""
    return min(1.0, max(0.0, (width_px - UNREADABLE_PX) / (_CLEAR_PX - UNREADABLE_PX)))


def _face(box: Any, score: float, points: NDArray[np.float32]) -> Face:
    width = float(box.width())
    quality = size_quality(width) * min(1.0, 0.3 + 0.5 * score)
    place = (float(box.left()), float(box.top()), width, float(box.height()))
    return Face(place, score, quality, yaw_deg=yaw_of(points))


def _upright(frame: NDArray[np.uint8], face: Face) -> tuple[NDArray[np.uint8], Box]:
    """The surroundings of a tilted face, two faces wide, with its eyes level; and where it is in them."""
    x, y, w, h = face.box
    side = max(2, round(2 * max(w, h)))
    turn = np.array(cv2.getRotationMatrix2D((x + w / 2, y + h / 2), face.tilt_deg, 1.0), dtype=np.float64)
    turn[:, 2] += (side / 2 - x - w / 2, side / 2 - y - h / 2)
    crop = cv2.warpAffine(frame, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(crop, dtype=np.uint8), (side / 2 - w / 2, side / 2 - h / 2, w, h)


def _weights_folder() -> Path:
    """Where the weights lie; the package itself is never imported (it needs a retired library)."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise EngineError(
            "the face weights (face_recognition_models) are not installed.", "Install pvchat-edge again."
        )
    return Path(spec.origin).parent / "models"
