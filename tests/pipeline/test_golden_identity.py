"""Who somebody is hangs on exact pixels: a channel order that is wrong anywhere must fail here, loudly."""

from __future__ import annotations

import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import runtime
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.clip import Clip
from runtime.people import faces as faces_module
from runtime.people.faces import shared_faces
from runtime.people.views import PersonView
from runtime.session.models import load_models
from runtime.session.observe import Observer
from runtime.video import read_video
from train.world.dataset import reference_script
from train.world.files import write_clip
from train.world.household import sample_household
from train.world.scene import render_clip

Floats = NDArray[np.float32]
DATA = Path(__file__).parents[3] / "shared" / "data"
BASE = Path(runtime.__file__).parent / "base_bundle"
SEED = 21


def _views(observer: Observer, frames: NDArray[np.uint8], fps: float) -> tuple[PersonView, ...]:
    seen = observer.observe(Clip(frames, fps), looks=4, per_track=4, check=lambda: None, known="head")
    return tuple(seen.views)


def _mean(views: tuple[PersonView, ...]) -> Floats:
    mean = np.mean([view.embedding for view in views], axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


def test_a_clip_from_a_file_shows_the_same_head_as_its_pixels_and_swapped_channels_somebody_else(
    tmp_path: Path,
) -> None:
    world = sample_household(SEED)
    script = reference_script(world, world.members[0])
    frames = render_clip(script)[0].frames
    write_clip(tmp_path, script)
    observer = Observer(load_models(Bundle.open(BASE), RuntimeConfig(device="cpu", threads=1)))
    video = read_video(tmp_path / f"{script.clip_id}.mp4", fps=script.fps)
    straight, from_file, swapped = (
        _mean(_views(observer, pixels, script.fps))
        for pixels in (frames, video.clip.frames, np.ascontiguousarray(frames[..., ::-1]))
    )
    assert float(straight @ from_file) > 0.98
    assert float(straight @ swapped) < 0.6


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data with the real clips is not beside the project")
def test_a_face_is_embedded_as_dlib_itself_embeds_the_frame_that_opencv_reads() -> None:
    path = DATA / "clips" / "asl01" / "asl01_again.mkv"
    capture = cv2.VideoCapture(str(path))
    read, picture = capture.read()
    capture.release()
    assert read
    bgr = np.asarray(picture, dtype=np.uint8)
    engine = shared_faces()
    frame = read_video(path, fps=1.0).clip.frames[0]
    ours = engine.embed(frame, engine.find(frame)[:1])[0]
    right, wrong = _by_dlib(np.ascontiguousarray(bgr[..., ::-1])), _by_dlib(bgr)
    assert float(ours @ right) > 0.9999
    assert float(ours @ wrong) < 0.999


def _by_dlib(picture: NDArray[np.uint8]) -> Floats:
    """The largest face of a picture by the library's own calls, unit."""
    dlib, weights = importlib.import_module("dlib"), faces_module._weights_folder()
    boxes = dlib.get_frontal_face_detector()(picture, 1)
    box = max(boxes, key=lambda one: one.width())
    landmarks = dlib.shape_predictor(str(weights / "shape_predictor_5_face_landmarks.dat"))(picture, box)
    network = dlib.face_recognition_model_v1(str(weights / "dlib_face_recognition_resnet_model_v1.dat"))
    row = np.asarray(list(network.compute_face_descriptor(picture, landmarks)), dtype=np.float32)
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)
