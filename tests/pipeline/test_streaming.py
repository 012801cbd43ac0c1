"""The shipped bundle on a rendered camera: what is remembered never changes a bit of what is seen or said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import runtime
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.clip import Clip
from runtime.contract.dialogue import Answer, Intent, Kind
from runtime.contract.serving import AdapterRef, EnrolRequest, WindowSource
from runtime.frames import RingWriter
from runtime.session.features import FrameEncoder, FrameFeatures
from runtime.session.local import LocalSession
from runtime.session.models import Models, load_models
from runtime.session.observe import Observer
from tests.fakes.bits import bits
from train.demo.casting import Director
from train.world.dataset import reference_script
from train.world.files import write_video
from train.world.household import HouseholdWorld, sample_household
from train.world.scene import render_clip

BASE = Path(runtime.__file__).parent / "base_bundle"
CONFIG = RuntimeConfig(device="cpu", threads=2)
WINDOW, FRAMES, FPS = 8, 12, 4.0
WHO = "s" + "1" * 32
Frames = NDArray[np.uint8]


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(Bundle.open(BASE), CONFIG)


@pytest.fixture(scope="module")
def household() -> HouseholdWorld:
    return sample_household(5, 2)


@pytest.fixture(scope="module")
def camera(household: HouseholdWorld) -> Frames:
    """Two people in a kitchen."""
    script = Director(household).scene("c", "kitchen", household.members, ["drinking", "waving"])
    return render_clip(script, fps=FPS, frames=FRAMES)[0].frames


def test_overlapping_windows_are_bit_for_bit_what_each_is_afresh(models: Models, camera: Frames) -> None:
    live = Observer(models, lambda _: True)
    for start in range(FRAMES - WINDOW + 1):
        clip = Clip(camera[start : start + WINDOW], FPS)
        seen, afresh = (
            one.observe(clip, looks=4, per_track=4, check=lambda: None, stream=stream)
            for one, stream in ((live, "ring"), (Observer(models), None))
        )
        assert seen.source == "head" and len(seen.views) > WINDOW, "both people, most of the time"
        assert bits(seen) == bits(afresh)


def test_a_frame_is_told_the_same_whatever_was_encoded_before_it(models: Models, camera: Frames) -> None:
    encoder = FrameEncoder(models)
    first = [bits(encoder.heads(frame, FrameFeatures())) for frame in camera]
    order = np.random.default_rng(3).permutation(FRAMES)
    assert [bits(encoder.heads(camera[index], FrameFeatures())) for index in order] == [
        first[index] for index in order
    ]


class Asker:
    """Sessions about one camera, with one person enrolled."""

    def __init__(
        self, models: Models, video: Path, writer: RingWriter, camera: Frames, adapter: Path
    ) -> None:
        self.models, self.camera, self.writer = models, camera, writer
        self._ref = AdapterRef(WHO, adapter, 1)
        self.shown = 0
        LocalSession(Bundle.open(BASE), models, CONFIG).enrol(
            EnrolRequest(WHO, video, None, adapter, None, 1)
        )

    def session(self) -> LocalSession:
        """One that has seen nothing and remembers no words."""
        assert self.models.language is not None
        self.models.language.forget()
        session = LocalSession(Bundle.open(BASE), self.models, CONFIG)
        session.set_subjects([self._ref])
        return session

    def show(self, frames: int) -> None:
        """Some more frames of the camera."""
        for _ in range(frames):
            self.writer.write(self.camera[self.shown], 1000.0 + (self.shown + 0.5) / FPS)
            self.shown += 1

    def ask(self, session: LocalSession, kind: Kind) -> Answer:
        """About the newest window."""
        source = WindowSource("kitchen", "kitchen", self.writer.name)
        who = () if kind == "who" else (WHO,)
        return session.answer(source, Intent(kind, who), {WHO: "Anna"}, None, lambda: 600.0)


@pytest.fixture
def answers(models: Models, household: HouseholdWorld, camera: Frames, tmp_path: Path) -> Iterator[Asker]:
    clip = render_clip(reference_script(household, household.members[0]), fps=FPS)[0]
    video = tmp_path / "reference.mp4"
    write_video(video, clip.frames, clip.fps)
    with RingWriter(camera.shape[2], camera.shape[1], fps=FPS) as writer:
        yield Asker(models, video, writer, camera, tmp_path / "adapter.safetensors")


def test_what_is_said_after_watching_and_asking_is_what_is_said_at_first(answers: Asker) -> None:
    watching = answers.session()
    answers.show(WINDOW)
    answers.ask(watching, "who")
    answers.show(2)
    kinds: tuple[Kind, ...] = ("existence", "action", "appearance", "action")
    said = [answers.ask(watching, kind) for kind in kinds]
    assert said[1].kind in ("description", "refusal") and said[1].subjects[0].verdict == "yes"
    for kind, answer in zip(kinds, said, strict=True):
        afresh = answers.ask(answers.session(), kind)
        assert (answer.text, answer.reason) == (afresh.text, afresh.reason)
        assert bits(answer.subjects) == bits(afresh.subjects)
        assert bits(answer.evidence) == bits(afresh.evidence)
