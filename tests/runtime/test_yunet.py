"""Claims about faces that YuNet finds: where they are, how they are held, and who can still be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.people.cohort import face_likeness
from runtime.people.faces import Face, FaceEngine, shared_faces
from runtime.people.stream import face_views
from runtime.people.turn import tilt_of
from runtime.people.yunet import OUTPUTS, SIDE, YuNet, facing
from runtime.session.others import Others
from runtime.video import read_video

DATA = Path(__file__).parents[3] / "shared" / "data"
real = pytest.mark.skipif(
    not DATA.is_dir(), reason="../shared/data with the real clips is not beside the project"
)
Frame = NDArray[np.uint8]
FRONT = ((-20.0, 0.0), (20.0, 0.0), (0.0, 22.0), (-16.0, 44.0), (16.0, 44.0))
"""A face that looks at the camera: eyes, nose, corners of the mouth, from the middle of the eyes."""


def points(*, turn: float = 0.0, tilt_deg: float = 0.0, width: float = 1.0) -> NDArray[np.float32]:
    """FRONT with the nose aside by `turn` eye distances, narrower and tilted."""
    there = np.array(FRONT, dtype=np.float32)
    there[2, 0] += turn * 40
    there[:, 0] *= width
    a = np.radians(tilt_deg)
    turned = there @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    return np.asarray(turned, dtype=np.float32)


def says(*faces: tuple[float, float, float, float, float]) -> dict[str, NDArray[np.float32]]:
    """Outputs that say these faces: centre x, y, width, height in the network's pixels, a score."""
    out = {name: np.zeros(shape, dtype=np.float32) for name, shape in OUTPUTS.items()}
    for x, y, w, h, score in faces:
        column, row = int(x // 16), int(y // 16)
        at = row * (SIDE // 16) + column
        out["cls_16"][at], out["obj_16"][at] = score, score
        out["bbox_16"][at] = x / 16 - column, y / 16 - row, np.log(w / 16), np.log(h / 16)
        there = points() * (w / 80) + (x, y - h / 6)
        out["kps_16"][at] = (there / 16 - (column, row)).reshape(-1)
    return out


class Script:
    """A network that gives one answer after another, and keeps what it was shown."""

    def __init__(self, *answers: Mapping[str, NDArray[np.float32]]) -> None:
        self.answers, self.seen = list(answers), list[NDArray[np.float32]]()

    def __call__(self, pixels: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        self.seen.append(pixels)
        return self.answers.pop(0)


NEAR = says((320.0, 320.0, 210.0, 270.0, 0.93))


@given(
    st.floats(120, 520), st.floats(120, 300), st.floats(50, 90),
    st.sampled_from([(640, 480), (1280, 720), (360, 288)]),
)  # fmt: skip
def test_a_box_comes_back_as_a_square_in_pixels_of_the_frame(
    x: float, y: float, width: float, frame: tuple[int, int]
) -> None:
    scale = 640 / max(frame)
    script = Script(says((x, y, width, width * 1.25, 0.9)), NEAR)
    (face,) = YuNet(script).find(np.zeros((frame[1], frame[0], 3), dtype=np.uint8))
    left, top, side, height = face.box
    assert side == height
    assert left + side / 2 == pytest.approx(x / scale, abs=0.1)
    assert width / scale < side < width * 1.25 / scale
    assert y / scale < top + side / 2 < (y + 0.1 * width * 1.25) / scale


def test_the_network_sees_the_frame_in_bgr_and_then_the_face_from_near() -> None:
    script = Script(says((300.0, 200.0, 80.0, 100.0, 0.9)), NEAR)
    frame = np.zeros((480, 640, 3), dtype=np.uint8)
    frame[..., 0] = 200
    (face,) = YuNet(script).find(frame)
    first, near = script.seen
    assert first.shape == near.shape == (1, 3, SIDE, SIDE)
    assert first[0, :, 10, 10].tolist() == near[0, :, 320, 320].tolist() == [0.0, 0.0, 200.0]
    assert first[0, :, -1, 0].tolist() == [0.0] * 3, "below a frame that is wider than high is nothing"
    assert (face.quality > 0.5, face.turned, round(face.tilt_deg)) == (True, False, 0)


def test_one_face_said_twice_is_one_and_a_doubtful_one_is_none() -> None:
    twice = says((300.0, 200.0, 80.0, 100.0, 0.9), (316.0, 200.0, 80.0, 100.0, 0.8))
    assert len(YuNet(Script(twice, NEAR)).find(np.zeros((480, 640, 3), dtype=np.uint8))) == 1
    doubtful = says((300.0, 200.0, 80.0, 100.0, 0.5))
    assert YuNet(Script(doubtful)).find(np.zeros((480, 640, 3), dtype=np.uint8)) == []


@pytest.mark.parametrize(
    ("what", "near"),
    [
        ("nothing is found", says()),
        ("only something beside it", says((100.0, 100.0, 210.0, 270.0, 0.95))),
        ("it is blurred", says((320.0, 320.0, 210.0, 270.0, 0.45))),
    ],
)
def test_a_face_that_a_nearer_look_does_not_confirm_is_there_and_tells_nothing(
    what: str, near: Mapping[str, NDArray[np.float32]]
) -> None:
    script = Script(says((300.0, 200.0, 80.0, 100.0, 0.9)), near)
    (face,) = YuNet(script).find(np.zeros((480, 640, 3), dtype=np.uint8))
    assert face.quality == 0.0, what


def test_a_face_too_small_to_read_gets_no_second_look() -> None:
    script = Script(says((300.0, 200.0, 28.0, 36.0, 0.9)))
    (face,) = YuNet(script).find(np.zeros((480, 640, 3), dtype=np.uint8))
    assert (face.quality, len(script.seen)) == (0.0, 1)


@given(st.floats(-40, 40))
def test_a_tilted_head_is_not_turned_and_its_tilt_is_told(tilt_deg: float) -> None:
    assert facing(points(tilt_deg=tilt_deg), 100.0) == pytest.approx(1.0)
    assert tilt_of(points(tilt_deg=tilt_deg)) == pytest.approx(tilt_deg, abs=0.01)


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.3, 1.0))
def test_the_further_a_face_looks_aside_the_less_it_tells(one: float, other: float, width: float) -> None:
    less, more = sorted((abs(one), abs(other)))
    assert facing(points(turn=more), 100.0) <= facing(points(turn=less), 100.0)
    assert facing(points(width=width), 100.0) <= facing(points(), 100.0)
    assert facing(points(turn=0.6 + less), 100.0) == facing(points(width=0.6 * width), 100.0) == 0.0


class Turning:
    """A finder: the same head in every look, facing the camera in some of them."""

    def __init__(self, *facing_now: bool) -> None:
        self.rest = list(facing_now)

    def find(self, frame: Frame) -> list[Face]:
        there = self.rest.pop(0)
        return [Face((100.0, 100.0, 90.0, 90.0), 0.9, 0.8 if there else 0.0, 0.0, not there)]


class Flat(FaceEngine):
    """An embedder for which all faces are one."""

    def __init__(self) -> None:
        pass

    def embed(self, frame: Frame, faces: Sequence[Face]) -> NDArray[np.float32]:
        return np.tile(np.eye(1, 128, dtype=np.float32), (len(faces), 1))


def looks_kept(*facing_now: bool) -> list[tuple[int, float]]:
    count = len(facing_now)
    frames = np.zeros((count, 240, 320, 3), dtype=np.uint8)
    views = face_views(
        frames, [n / 4 for n in range(count)], range(count), Flat(), finder=Turning(*facing_now)
    )
    return [(view.frame, view.quality) for view in views]


def test_of_somebody_who_turns_away_only_the_looks_at_the_face_are_kept() -> None:
    assert looks_kept(True, False, True, False) == [(0, 0.8), (2, 0.8)]


def test_somebody_who_never_turns_here_is_still_somebody() -> None:
    assert looks_kept(False, False) == [(0, 0.0), (1, 0.0)]


@pytest.fixture(scope="module")
def finder() -> YuNet:
    found = Others(DATA / "models", "CPUExecutionProvider", 1).faces()
    assert found is not None
    return found


def test_without_the_file_there_is_no_such_detector(tmp_path: Path) -> None:
    assert Others(tmp_path, "CPUExecutionProvider", 1).faces() is None


def _frames(name: str, fps: float = 30.0) -> Frame:
    return read_video(DATA / name, fps=fps, max_s=6.0).clip.frames


@real
def test_its_boxes_embed_a_face_as_dlibs_own_do(finder: YuNet) -> None:
    engine = shared_faces()
    for name in (
        "asl01/asl01_help.mkv",
        "asl03/asl03_book.mkv",
        "asl04/asl04_eat.mkv",
        "grid03/grid03_brbk7n.mpg",
    ):
        frame = _frames(f"clips/{name}")[30]
        both = [engine.embed(frame, found.find(frame)[:1]) for found in (finder, engine)]
        assert float(face_likeness(*both)[0, 0]) > 0.97, name


@real
@pytest.mark.parametrize("tilt_deg", [-40.0, -30.0, 30.0, 40.0])
def test_a_tilted_head_is_found_and_is_still_the_same_person(finder: YuNet, tilt_deg: float) -> None:
    engine, frame = shared_faces(), _frames("clips/asl01/asl01_help.mkv")[30]
    (face,) = finder.find(frame)
    x, y, w, h = face.box
    turn = cv2.getRotationMatrix2D((x + w / 2, y + h / 2), -tilt_deg, 1.0)
    tilted = np.asarray(cv2.warpAffine(frame, turn, (640, 480)), dtype=np.uint8)
    (found,) = finder.find(tilted)
    assert abs(found.tilt_deg) > 15 and found.tilt_deg * tilt_deg > 0
    both = [engine.embed(frame, [face]), engine.embed(tilted, [found])]
    assert float(face_likeness(*both)[0, 0]) > 0.95


@real
def test_a_visitor_who_walks_past_in_profile_is_found_and_cannot_be_told(finder: YuNet) -> None:
    frames = _frames("camera/ambianic_frontdoor_person.mkv", fps=10.0)
    (coming,), going = finder.find(frames[1]), [finder.find(frame)[0] for frame in frames[28:36:2]]
    assert coming.quality > 0.8
    assert all(face.turned and face.quality == 0.0 for face in going)
