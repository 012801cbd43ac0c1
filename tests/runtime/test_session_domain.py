"""Where tokens do not tell drawn rooms from real ones a face does; without a detector nobody guesses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.errors import EngineError, UnavailableError
from runtime.contract.serving import ClipSource
from runtime.people.faces import Face
from runtime.session.models import Models
from tests.fakes.tiny_bundle import ANN, make_bundle
from tests.fakes.tiny_home import TinyHome, open_tiny


class Faces:
    """A face of one score in every frame, or a problem."""

    def __init__(self, score: float | None = None, problem: Exception | None = None) -> None:
        self.score, self.problem, self.looks = score, problem, 0

    def find(self, picture: NDArray[np.uint8]) -> list[Face]:
        self.looks += 1
        if self.problem is not None:
            raise self.problem
        return [] if self.score is None else [Face((300.0, 200.0, 90.0, 90.0), self.score, 0.9)]

    def embed(self, picture: NDArray[np.uint8], faces: list[Face]) -> NDArray[np.float32]:
        return np.eye(1, 128, dtype=np.float32).repeat(len(faces), axis=0)


def home(folder: Path, monkeypatch: pytest.MonkeyPatch, faces: Faces, *, sure: float = 0.0) -> TinyHome:
    """Every scene is within the limit and none is surely drawn, unless `sure` says so."""
    monkeypatch.setattr(Models, "faces", property(lambda _: faces))
    made = TinyHome(open_tiny(make_bundle(folder / "b", domain_limit=1e9, domain_sure=sure)), folder)
    trusted = Faces()
    monkeypatch.setattr(Models, "faces", property(lambda _: trusted))
    made.install("ann")
    monkeypatch.setattr(Models, "faces", property(lambda _: faces))
    return made


@pytest.mark.parametrize(
    "problem",
    [
        EngineError("the face weights cannot be read.", "Install them again."),
        UnavailableError("no.", "Wait."),
    ],
)
def test_a_scene_that_only_a_face_can_tell_is_unavailable_where_no_face_can_be_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: UnavailableError
) -> None:
    faces = Faces(problem=problem)
    tiny = home(tmp_path, monkeypatch, faces)
    clip = tiny.clip({19: ANN})
    for _ in range(2):
        with pytest.raises(UnavailableError, match=problem.message) as caught:
            tiny.ask(clip, "existence", "ann")
        assert caught.value.next_step == problem.next_step
    assert faces.looks == 2, "a failed look is no look: it is tried again"
    faces.problem = None
    assert tiny.ask(clip, "existence", "ann").verdict == "yes"


@pytest.mark.parametrize(("score", "verdict"), [(None, "yes"), (1.2, "yes"), (1.3, "unsure")])
def test_among_drawn_people_only_a_very_clear_face_makes_a_scene_ordinary_footage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: float | None, verdict: str
) -> None:
    tiny = home(tmp_path, monkeypatch, Faces(score))
    assert tiny.ask(tiny.clip({19: ANN}), "existence", "ann").verdict == verdict


@pytest.mark.parametrize(("score", "source"), [(None, "head"), (0.6, "head"), (0.8, "face")])
def test_where_nobody_is_enrolled_a_clear_face_makes_a_scene_ordinary_footage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: float | None, source: str
) -> None:
    tiny = home(tmp_path, monkeypatch, Faces(score))
    footage = tiny.session._projector.open(ClipSource(tiny.clip({19: ANN})))
    seen = tiny.session._observer.observe(footage.clip, looks=3, per_track=2, check=lambda: None)
    assert seen.source == source


def test_a_scene_that_is_surely_drawn_needs_no_face_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = Faces(problem=EngineError("not installed."))
    tiny = home(tmp_path, monkeypatch, faces, sure=1e9)
    assert tiny.ask(tiny.clip({19: ANN}), "existence", "ann").verdict == "yes"
    assert faces.looks == 0
