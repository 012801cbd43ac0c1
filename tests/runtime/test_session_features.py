"""Live windows: each frame is encoded once, the result is as if the window were afresh, nothing stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.clip import Clip
from runtime.contract.dialogue import Intent
from runtime.contract.serving import WindowSource
from runtime.frames import RingWriter, read_window, ring_exists
from runtime.people.faces import Face
from runtime.session import features
from runtime.session.features import FeatureRing, FrameKey, FrameNamer, clip_key, frame_keys
from runtime.session.models import Models, load_models
from runtime.session.observe import Observation, Observer
from runtime.session.streams import MOST_STREAMS, STREAM_FRAMES, Streams
from tests.fakes.bits import bits
from tests.fakes.counting import count_engines
from tests.fakes.tiny_bundle import ANN, BEN, CYN, HEADLESS, STRANGER, frame, make_bundle
from tests.fakes.tiny_home import IDS, NAMES, TinyHome, forever, open_tiny

WINDOW, FPS = 8, 4.0
SCENES: list[dict[int, tuple[int, int, int]]] = [
    {}, {9: ANN}, {10: ANN}, {12: ANN, 27: BEN}, {27: BEN, 30: CYN}, {9: STRANGER, 19: HEADLESS},
]  # fmt: skip
Frames = NDArray[np.uint8]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"), with_bodies=True)


@pytest.fixture(scope="module")
def models(bundle: Bundle) -> Models:
    return load_models(bundle, RuntimeConfig(device="cpu", threads=1))


def noisy(scene: int, noise: int) -> Frames:
    """One frame; the same numbers give the same pixels."""
    rng = np.random.default_rng(noise)
    picture = frame(SCENES[scene]).astype(np.int16)
    return np.asarray(np.clip(picture + rng.integers(-2, 3, picture.shape), 0, 255), dtype=np.uint8)


def seen(observer: Observer, frames: Frames, stream: str | None = "pvc_live") -> Observation:
    return observer.observe(Clip(frames, fps=FPS), looks=4, per_track=4, check=lambda: None, stream=stream)


@given(
    st.lists(st.tuples(st.integers(0, len(SCENES) - 1), st.integers(0, 2)), min_size=WINDOW, max_size=14),
    st.integers(1, 3),
)
@settings(max_examples=12, deadline=None)
def test_a_live_window_is_bit_for_bit_what_it_would_be_afresh(
    models: Models, shown: list[tuple[int, int]], step: int
) -> None:
    stream = np.stack([noisy(*one) for one in shown])
    live = Observer(models, lambda _: True)
    for start in range(0, len(stream) - WINDOW + 1, step):
        window = stream[start : start + WINDOW]
        afresh = seen(Observer(models), window, stream=None)
        assert bits(seen(live, window)) == bits(afresh)


def test_one_more_frame_costs_the_engines_one_frame(bundle: Bundle) -> None:
    models = load_models(bundle, RuntimeConfig(device="cpu", threads=1))
    engines = count_engines(models)
    stream = np.stack([noisy(1, number) for number in range(WINDOW + 4)])
    observer = Observer(models, lambda _: True)
    seen(observer, stream[:WINDOW])
    assert engines["vision"].sizes == [1] * WINDOW
    heads, bodies = len(engines["head"].sizes), len(engines["body"].sizes)
    seen(observer, stream[1 : WINDOW + 1])
    assert engines["vision"].sizes[WINDOW:] == [1]
    assert len(engines["head"].sizes) - heads == 2, "the crop and the corrected crop of one frame"
    assert len(engines["body"].sizes) - bodies == 1
    seen(observer, stream[4 : WINDOW + 4])
    assert len(engines["vision"].sizes) == WINDOW + 4
    seen(observer, stream[1 : WINDOW + 1])
    assert len(engines["vision"].sizes) == WINDOW + 4, "a window that was seen before costs nothing"


def test_a_frame_that_is_shown_again_costs_nothing(bundle: Bundle) -> None:
    models = load_models(bundle, RuntimeConfig(device="cpu", threads=1))
    engines = count_engines(models)
    slow_camera = np.stack([noisy(1, number // 2) for number in range(WINDOW)])
    seen(Observer(models), slow_camera)
    assert len(engines["vision"].sizes) == WINDOW // 2


class CountedFaces:
    """A face in the middle of every frame; how often each was found and embedded."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self.embedded: list[bytes] = []

    def find(self, picture: Frames) -> list[Face]:
        self.found.append(picture.tobytes())
        return [Face((300.0, 200.0, 90.0, 90.0), 1.5, 0.9)]

    def embed(self, picture: Frames, faces: list[Face]) -> NDArray[np.float32]:
        self.embedded.append(picture.tobytes())
        row = np.random.default_rng(int(picture[0, 0, 0])).normal(size=128)
        return np.asarray([row / np.linalg.norm(row)] * len(faces), dtype=np.float32)


def test_a_face_is_found_and_embedded_once_and_told_as_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = load_models(make_bundle(tmp_path, domain_limit=-1.0), RuntimeConfig(device="cpu", threads=1))
    faces = CountedFaces()
    monkeypatch.setattr(Models, "faces", property(lambda self: faces))
    stream = np.stack([noisy(0, number) for number in range(WINDOW + 8)])
    live = Observer(models, lambda _: True)
    for start in range(0, 8, 2):
        assert seen(live, stream[start : start + WINDOW]).source == "face"
    assert len(faces.found) == len(set(faces.found)), "windows overlap, their looks too"
    assert len(faces.embedded) == len(set(faces.embedded))
    for start in range(0, 8, 2):
        window = stream[start : start + WINDOW]
        assert bits(seen(live, window)) == bits(seen(Observer(models), window, stream=None))


def test_other_pixels_another_size_and_another_engine_are_other_keys() -> None:
    picture = noisy(1, 0)
    changed = picture.copy()
    changed[0, 0, 0] ^= 1
    turned = np.ascontiguousarray(picture.transpose(1, 0, 2))
    same = picture.reshape(turned.shape)
    keys = {
        key
        for frames, engine in ((picture, "a"), (picture, "b"), (changed, "a"), (same, "a"))
        for key in frame_keys(frames[None], engine)
    }
    assert len(keys) == 4
    assert len({clip_key([key], FPS) for key in keys}) == 4
    (key,) = frame_keys(picture[None], "a")
    assert clip_key([key], 2.0) != clip_key([key], FPS) != clip_key([key, key], FPS)


def test_engines_of_another_bundle_device_or_number_of_threads_are_other_engines(
    bundle: Bundle, tmp_path: Path
) -> None:
    other = make_bundle(tmp_path, with_bodies=True, descriptions={"action": 0.4})
    ids = {
        load_models(one, RuntimeConfig(device="cpu", threads=threads)).engine_id
        for one, threads in ((bundle, 1), (bundle, 2), (other, 1))
    }
    assert len(ids) == 3
    assert load_models(bundle, RuntimeConfig(device="cpu", threads=1)).engine_id in ids


def test_what_is_kept_of_a_stream_is_bounded() -> None:
    ring = FeatureRing(STREAM_FRAMES)
    for number in range(3 * STREAM_FRAMES):
        ring.of(FrameKey("a", (1, 1, 3), bytes([number])))
    assert len(ring) == STREAM_FRAMES
    streams: Streams[Observation] = Streams(lambda _: True)
    for number in range(3 * MOST_STREAMS):
        streams.memory(f"pvc_{number:016x}")
    assert len(streams) == MOST_STREAMS


def test_a_stream_is_forgotten_when_its_camera_is_gone_and_no_other() -> None:
    alive = {"a", "b"}
    streams: Streams[Observation] = Streams(lambda name: name in alive)
    kept = streams.memory("a")
    gone = streams.memory("b")
    alive.remove("b")
    assert streams.forget_gone() == 1 and len(streams) == 1
    assert streams.memory("a") is kept
    assert streams.memory("b") is not gone


def test_a_frame_of_a_ring_is_hashed_once_and_named_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    digest = features._digest

    def listen(picture: Frames) -> bytes:
        hashed.append(1)
        return digest(picture)

    monkeypatch.setattr(features, "_digest", listen)
    names = FrameNamer(STREAM_FRAMES)
    with RingWriter(640, 480, fps=FPS) as writer:
        for number in range(2 * STREAM_FRAMES):
            writer.write(noisy(1, number), 1000.0 + number / FPS)
            window = read_window(writer.name, min(number + 1, WINDOW), FPS)
            before = len(hashed)
            keys = names.keys(window.clip.frames, "a", window.marks)
            assert len(hashed) == before + 1
            assert keys == frame_keys(window.clip.frames, "a")


@pytest.fixture
def home(bundle: Bundle, tmp_path: Path) -> Iterator[TinyHome]:
    built = TinyHome(open_tiny(bundle), tmp_path)
    built.install("ann")
    yield built


def test_with_its_ring_all_that_was_computed_of_a_camera_goes(home: TinyHome) -> None:
    session = home.session
    language = session._models.language
    assert language is not None
    writer = RingWriter(640, 480, fps=FPS)
    for number in range(WINDOW):
        writer.write(noisy(1, number), 1000.0 + number / FPS)
    source = WindowSource("hall", "hall", writer.name)
    answer = session.answer(source, Intent("action", (IDS["ann"],)), NAMES, None, forever)
    assert answer.kind == "description"
    assert len(session._observer._streams) == len(session._claims) == len(language._prefixes) == 1
    session.forget_gone()
    assert len(session._observer._streams) == 1, "the camera is still there"
    writer.close()
    assert not ring_exists(writer.name)
    session.forget_gone()
    assert len(session._observer._streams) == len(session._claims) == len(language._prefixes) == 0


def test_a_live_answer_is_the_same_whatever_was_looked_at_before(home: TinyHome, bundle: Bundle) -> None:
    with RingWriter(640, 480, fps=FPS) as writer:
        source = WindowSource("hall", "hall", writer.name)
        for number in range(WINDOW + 4):
            writer.write(noisy(1, number), 1000.0 + number / FPS)
            watched = home.session.answer(source, Intent("who"), NAMES, None, forever)
        fresh = TinyHome(open_tiny(bundle), home.folder)
        fresh.install("ann")
        afresh = fresh.session.answer(source, Intent("who"), NAMES, None, forever)
    assert (watched.text, watched.confidence, watched.evidence) == (
        afresh.text, afresh.confidence, afresh.evidence,
    )  # fmt: skip
