"""The face engine without any real face: what it loads, what it must not open."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.errors import EngineError
from runtime.people import faces as faces_module
from runtime.people.cohort import face_cohort, face_likeness
from runtime.people.face_calibration import FACE_CALIBRATION
from runtime.people.faces import EMBEDDING_NORM, FaceEngine, face_distance, shared_faces


def test_a_picture_without_a_face_gives_none() -> None:
    rng = np.random.default_rng(0)
    engine = shared_faces()
    assert engine.find(rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)) == []
    assert engine.embed(np.zeros((40, 40, 3), dtype=np.uint8), []).shape == (0, 128)
    assert shared_faces() is engine


def test_the_weights_package_is_never_imported_and_the_restricted_file_never_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    real = Path.__truediv__

    def recording(self: Path, name: str) -> Path:
        opened.append(str(name))
        return real(self, name)

    monkeypatch.setattr(Path, "__truediv__", recording)
    FaceEngine()
    files = [name for name in opened if name.endswith(".dat")]
    assert sorted(files) == [
        "dlib_face_recognition_resnet_model_v1.dat",
        "shape_predictor_5_face_landmarks.dat",
    ]
    assert "face_recognition_models" not in sys.modules


def test_missing_weights_are_an_engine_error_with_a_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match="not installed"):
        FaceEngine()
    monkeypatch.setattr(faces_module, "_weights_folder", lambda: tmp_path)
    with pytest.raises(EngineError, match="cannot be read"):
        FaceEngine()


def test_distance_is_in_the_units_of_raw_embeddings() -> None:
    rng = np.random.default_rng(1)
    raw = rng.standard_normal((2, 128)).astype(np.float32)
    unit = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    scaled = unit * EMBEDDING_NORM
    wanted = float(np.linalg.norm(scaled[0] - scaled[1]))
    assert float(face_distance(unit[:1], unit[1:])[0, 0]) == pytest.approx(wanted, rel=1e-4)
    assert float(face_distance(unit[:1], unit[:1])[0, 0]) < 1e-2


def test_the_default_calibration_accepts_and_rejects_where_it_says() -> None:
    def probability(likeness: float) -> float:
        return 1 / (1 + math.exp(-FACE_CALIBRATION.llr(likeness, 1.0)))

    assert probability(0.74) == pytest.approx(0.9, abs=0.002)
    assert probability(0.46) == pytest.approx(0.1, abs=0.002)
    assert 0.1 < probability(0.6) < 0.9
    assert FACE_CALIBRATION.provenance


def test_what_all_faces_share_makes_nobody_alike() -> None:
    rng = np.random.default_rng(2)
    shared, own = face_cohort(), rng.standard_normal((2, 128)).astype(np.float32) / 128**0.5
    strangers = shared + 0.4 * own
    strangers /= np.linalg.norm(strangers, axis=1, keepdims=True)
    assert float(strangers[0] @ strangers[1]) > 0.75
    assert abs(float(face_likeness(strangers[:1], strangers[1:])[0, 0])) < 0.3
    assert float(face_likeness(strangers[:1], strangers[:1])[0, 0]) == pytest.approx(1.0, abs=1e-5)


def test_the_cohort_is_a_mean_with_its_provenance_and_nobodys_face() -> None:
    mean = face_cohort()
    assert mean.shape == (128,)
    assert 0.85 < float(np.linalg.norm(mean)) < 0.97, "a unit vector would be one face"
    assert not mean.flags.writeable


class BrokenDetector:
    """A detector that fails, or finds something that is no number."""

    def __init__(self, problem: Exception | None) -> None:
        self.problem = problem

    def run(self, picture: NDArray[np.uint8], *_: object) -> tuple[list[Any], list[float], list[int]]:
        if self.problem is not None:
            raise self.problem
        return [importlib.import_module("dlib").rectangle(10, 10, 90, 90)], [float("nan")], [0]


@pytest.mark.parametrize(
    ("problem", "words"), [(RuntimeError("bad cast"), "finds faces failed: bad cast"), (None, "not finite")]
)
def test_a_detector_that_fails_or_computes_no_number_is_an_error_and_nobody(
    monkeypatch: pytest.MonkeyPatch, problem: Exception | None, words: str
) -> None:
    engine = FaceEngine()
    monkeypatch.setattr(engine, "_detector", BrokenDetector(problem))
    with pytest.raises(EngineError, match=words) as caught:
        engine.find(np.zeros((100, 100, 3), dtype=np.uint8))
    assert "doctor" in caught.value.next_step
