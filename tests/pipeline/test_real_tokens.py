"""The bridge on tokens of real faces, which it has never seen: as good as centred cosine on the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.people.faces import shared_faces
from runtime.people.stream import face_views
from runtime.people.tokens import person_tokens
from runtime.people.views import PersonTokens, PersonView
from runtime.session.judge import sign_inputs
from runtime.session.models import Models, load_models
from runtime.session.reference import ENROL_TOKENS
from runtime.video import read_video
from train.rates import best_accuracy

ROOT = Path(__file__).parents[2]
Floats = NDArray[np.float32]
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Clip:
    """One real clip: who it shows, and views of the one face in it, embeddings centred on all people."""

    who: str
    views: list[PersonView]
    width: int
    height: int

    @property
    def template(self) -> Floats:
        return unit(np.mean([view.embedding for view in self.views], axis=0))


def unit(vector: NDArray[np.floating]) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(Bundle.open(ROOT / "runtime" / "base_bundle"), RuntimeConfig(device="cpu", threads=1))


@pytest.fixture(scope="module")
def clips(shared_data: Path, models: Models) -> list[Clip]:
    found = []
    spec = models.manifest.pixels
    for path in sorted((shared_data / "clips").glob("*/*")):
        if "damaged" in path.name:
            continue
        clip = read_video(path, fps=spec.window_fps).clip
        looks = list(range(min(len(clip.frames), spec.window_frames)))
        times = [index / clip.fps for index in looks]
        views = face_views(clip.frames, times, looks, shared_faces(), per_track=len(looks))
        tracks = [view.track for view in views]
        mine = [replace(view, track=0) for view in views if view.track == max(set(tracks), key=tracks.count)]
        if len(mine) >= 2:
            height, width = clip.frames.shape[1:3]
            found.append(Clip(path.parent.name, mine, width, height))
    people = sorted({clip.who for clip in found})
    means = [np.mean([c.template for c in found if c.who == who], axis=0) for who in people]
    centre = np.mean(means, axis=0)
    return [
        replace(clip, views=[replace(v, embedding=unit(v.embedding - centre)) for v in clip.views])
        for clip in found
    ]


def tokens(models: Models, capacity: int, *clips: Clip) -> PersonTokens:
    """The faces of these clips as if they were in one window, one track each."""
    views = [replace(view, track=number) for number, clip in enumerate(clips) for view in clip.views]
    shapes = models.manifest.shapes
    return person_tokens(
        views, frame_width=clips[0].width, frame_height=clips[0].height, spec=models.manifest.pixels,
        capacity=capacity, width=shapes["E"], signs=shapes.get("J", 0),
    )  # fmt: skip


def presence(models: Models, reference: Clip, *shown: Clip) -> float:
    """What the shipped bridge says of the person of `reference` in a window without scene tokens."""
    shapes = models.manifest.shapes
    learned = tokens(models, ENROL_TOKENS, reference)
    enrolled = models.engines["enrol"].run(
        {"person_embed": learned.embed, "person_geom": learned.geom, "person_valid": learned.valid}
    )
    window = tokens(models, shapes["M"], *shown)
    k, d, r = shapes["K"], shapes["D"], shapes["R"]
    outputs = models.engines["bridge"].run(
        {
            "scene": np.zeros((shapes["T"], shapes["P"], shapes["Dv"]), dtype=np.float32),
            "scene_valid": np.zeros(1, dtype=np.float32),
            "person_embed": window.embed,
            "person_geom": window.geom,
            "person_valid": window.valid,
            **sign_inputs(window.signs),
            "queries": enrolled["queries"][None],
            "templates": reference.template[None],
            "subject_valid": np.ones(1, dtype=np.float32),
            "delta_a": np.zeros((1, k, d, r), dtype=np.float32),
            "delta_b": np.zeros((1, k, r, d), dtype=np.float32),
        }
    )
    return float(outputs["presence"][0])


def cosine(_: Models, reference: Clip, *shown: Clip) -> float:
    return max(float(reference.template @ clip.template) for clip in shown)


Score = Callable[..., float]
Trials = list[tuple[Clip, tuple[Clip, ...]]]


def accuracy(score: Score, models: Models, trials: Trials) -> float:
    scores = np.asarray([score(models, reference, *shown) for reference, shown in trials])
    present = np.asarray([any(clip.who == reference.who for clip in shown) for reference, shown in trials])
    assert present.sum() > 20
    assert (~present).sum() > 20
    return best_accuracy(scores, present)


def test_alone_the_bridge_tells_real_faces_as_well_as_centred_cosine(
    models: Models, clips: list[Clip]
) -> None:
    trials: Trials = [(a, (b,)) for a, b in product(clips, clips) if a is not b]
    assert accuracy(presence, models, trials) >= accuracy(cosine, models, trials) - 0.01


def test_beside_somebody_else_the_bridge_tells_real_faces_as_well_as_centred_cosine(
    models: Models, clips: list[Clip]
) -> None:
    rng = np.random.default_rng(0)
    trials: Trials = []
    for _ in range(240):
        one, other = (clips[int(index)] for index in rng.choice(len(clips), size=2, replace=False))
        left = [clip for clip in clips if clip is not one and clip is not other]
        wanted = one.who if rng.random() < 0.5 else ""
        pool = [clip for clip in left if clip.who == wanted] or [
            clip for clip in left if clip.who not in (one.who, other.who)
        ]
        trials.append((pool[int(rng.integers(len(pool)))], (one, other)))
    assert accuracy(presence, models, trials) >= accuracy(cosine, models, trials) - 0.01
