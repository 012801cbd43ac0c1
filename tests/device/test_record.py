"""Claims about recording a camera to learn from: real files, the real command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device.cameras.record import record
from device.paths import Home
from runtime.contract.errors import CameraError
from runtime.contract.serving import EnrolRequest
from runtime.video import read_video
from tests.device.command_line import run_json
from tests.device.fake_runtime import FakeRuntime, serving, short_home
from tests.device.test_cameras import Clock, clip, replay

FPS = 4.0


def recorded(
    tmp_path: Path, greys: list[int], seconds: float, *, loop: bool = False
) -> tuple[int, Path, list[float]]:
    clock, left = Clock(), list[float]()
    camera = replay([clip(tmp_path / "a.mp4", greys)], loop=loop, clock=clock)
    out = tmp_path / "out.mkv"
    count = record(
        camera, out, seconds=seconds, fps=FPS, read_timeout_ms=1000, progress=left.append, clock=clock
    )
    return count, out, left


def test_so_many_seconds_become_a_file_that_enrolment_reads(tmp_path: Path) -> None:
    count, path, left = recorded(tmp_path, [40, 90, 180, 220] * 5, 3.0, loop=True)
    video = read_video(path, fps=FPS).clip
    assert (count, len(video.frames)) == (13, 13)
    assert [round(float(frame.mean()), -1) for frame in video.frames[:5]] == pytest.approx(
        [40, 90, 180, 220, 40], abs=10
    )
    assert left == sorted(left, reverse=True) and 1 <= len(left) <= 3


def test_source_that_ends_gives_what_there_was(tmp_path: Path) -> None:
    count, path, _ = recorded(tmp_path, [40, 90, 180, 220], 20.0)
    assert count == len(read_video(path, fps=FPS).clip.frames) == 4


def test_camera_with_hardly_a_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="gave 1 frames in 20 s"):
        recorded(tmp_path, [40], 20.0)


@pytest.fixture
def box() -> Iterator[tuple[Home, FakeRuntime]]:
    with short_home() as home, serving(home) as runtime:
        clip(home.root / "kitchen.mp4", [40, 90, 180, 220] * 4)
        home.config_file.parent.mkdir(exist_ok=True)
        home.config_file.write_text(
            'rooms = ["kitchen"]\n[[cameras]]\nname = "cooker"\nroom = "kitchen"\nkind = "replay"\n'
            'path = "../kitchen.mp4"\n',
            encoding="utf-8",
        )
        yield home, runtime


ADD = ("person", "add", "Grandma", "--consent-by", "Ann")


def test_person_is_learned_from_a_camera_and_nothing_of_the_recording_stays(
    box: tuple[Home, FakeRuntime], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, runtime = box
    frames: list[int] = []
    enrol = FakeRuntime._enrol

    def look(self: FakeRuntime, request: EnrolRequest, deadline: object) -> object:
        frames.append(len(read_video(request.path, fps=FPS).clip.frames))
        return enrol(self, request, deadline)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeRuntime, "_enrol", look)
    code, data = run_json(home, *ADD, "--camera", "cooker", "--record", "2s")
    assert code == 0, data
    assert frames and 6 <= frames[0] <= 9
    (request,) = runtime.enrolled
    assert request.path.is_relative_to(home.incoming) and not request.path.exists()
    assert list(home.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--camera", "hall"], "Cameras in the settings: cooker"),
        (["--camera", "cooker", "--record", "2h"], "is not 1s to 60s"),
        (["--camera", "cooker", "--record", "0"], "is not 1s to 60s"),
        (["--camera", "cooker", "--clip", "a.mp4"], "a clip or from a camera"),
        ([], "Give --clip or --camera"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_anything_starts(
    box: tuple[Home, FakeRuntime], words: list[str], said: str
) -> None:
    home, runtime = box
    code, data = run_json(home, *ADD, *words)
    assert code == 2
    assert said in f"{data['error']['message']} {data['error']['next_step']}"
    assert runtime.enrolled == []
