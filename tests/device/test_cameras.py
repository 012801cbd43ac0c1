"""Claims about cameras: replayed files and streams, with real files and real sockets."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.cameras.base import CameraFrame, Grid, redact
from device.cameras.factory import make_camera
from device.cameras.replay import ReplayCamera
from device.cameras.stream import StreamCamera, was_denied
from device.config import CameraConfig
from runtime.contract.errors import CameraError

START = 1_000_000.0


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """POSIX seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def clip(path: Path, greys: list[int], *, fps: int = 4, size: tuple[int, int] = (64, 48)) -> Path:
    """A real mp4; each frame has one grey."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps, width=size[0], height=size[1], pix_fmt="yuv420p")
        stream.bit_rate = 1_000_000
        for grey in greys:
            frame = np.full((size[1], size[0], 3), grey, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def replay(paths: list[Path], *, loop: bool, clock: Clock, grid_fps: float = 4.0) -> ReplayCamera:
    """An open replay camera on a clock of the test's."""
    camera = ReplayCamera(paths, loop=loop, grid_fps=grid_fps, clock=clock, sleep=clock.sleep)
    camera.open()
    return camera


def greys_of(frames: list[CameraFrame]) -> list[int]:
    """The grey of each frame, to the nearest ten."""
    return [round(float(frame.pixels.mean()), -1).__int__() for frame in frames]


def take(camera: ReplayCamera, count: int) -> list[CameraFrame]:
    """The next frames."""
    frames = [camera.read(2000) for _ in range(count)]
    return [frame for frame in frames if frame is not None]


def test_a_loop_plays_at_its_own_speed_for_ever(tmp_path: Path) -> None:
    camera = replay([clip(tmp_path / "a.mp4", [10, 60, 110, 160])], loop=True, clock=Clock())
    frames = take(camera, 9)
    assert greys_of(frames) == [10, 60, 110, 160, 10, 60, 110, 160, 10]
    assert [frame.at - START for frame in frames] == pytest.approx([0.25 * step for step in range(9)])


def test_a_clip_that_is_played_once_ends_with_none_for_ever(tmp_path: Path) -> None:
    camera = replay([clip(tmp_path / "a.mp4", [10, 60])], loop=False, clock=Clock())
    assert len(take(camera, 2)) == 2
    assert camera.read(2000) is None
    assert camera.read(2000) is None


def test_clips_follow_one_another(tmp_path: Path) -> None:
    first, second = clip(tmp_path / "a.mp4", [10, 60]), clip(tmp_path / "b.mp4", [160, 210])
    camera = replay([first, second], loop=True, clock=Clock())
    assert greys_of(take(camera, 5)) == [10, 60, 160, 210, 10]


def test_of_a_fast_clip_the_first_frame_of_each_grid_cell_is_taken(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", list(range(20, 220, 10)), fps=20)
    frames = take(replay([path], loop=False, clock=Clock()), 10)
    assert greys_of(frames) == [20, 70, 120, 170]
    assert [frame.index for frame in frames] == [int(START * 4) + step for step in range(4)]


def test_reading_never_runs_ahead_of_the_clock(tmp_path: Path) -> None:
    clock = Clock()
    camera = replay([clip(tmp_path / "a.mp4", [10] * 8)], loop=True, clock=clock)
    for _ in range(20):
        frame = camera.read(2000)
        assert frame is not None
        assert frame.at <= clock.now


def test_after_a_long_pause_it_goes_on_from_now(tmp_path: Path) -> None:
    clock = Clock()
    camera = replay([clip(tmp_path / "a.mp4", [10] * 8)], loop=True, clock=clock)
    take(camera, 2)
    clock.now += 3600
    frame = camera.read(2000)
    assert frame is not None
    assert frame.at == pytest.approx(clock.now)


def test_a_large_picture_is_shrunk_and_keeps_its_aspect(tmp_path: Path) -> None:
    camera = replay([clip(tmp_path / "a.mp4", [100], size=(1280, 720))], loop=True, clock=Clock())
    assert take(camera, 1)[0].pixels.shape == (360, 640, 3)


def test_clips_of_other_aspects_are_refused_together(tmp_path: Path) -> None:
    paths = [clip(tmp_path / "a.mp4", [10]), clip(tmp_path / "b.mp4", [10], size=(64, 64))]
    with pytest.raises(CameraError, match="aspect"):
        ReplayCamera(paths, loop=True, grid_fps=4.0).open()


def test_a_clip_cut_in_the_middle_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", [10, 60, 110, 160] * 5)
    with av.open(str(path)) as whole, av.open(str(tmp_path / "cut.mkv"), "w") as cut:
        stream = cut.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            packet.stream = stream
            if packet.dts is not None:
                cut.mux(packet)
    raw = (tmp_path / "cut.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(raw[: len(raw) // 2])
    camera = replay([tmp_path / "cut.mkv"], loop=False, clock=Clock())
    assert 1 <= len(take(camera, 20)) < 20


@pytest.mark.parametrize("content", [None, b"", b"this is no video" * 50])
def test_what_is_no_video_is_a_camera_error_that_names_the_file(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CameraError, match=r"broken\.mp4"):
        ReplayCamera([path], loop=True, grid_fps=4.0).open()


@given(st.lists(st.floats(0, 1e6), max_size=50), st.sampled_from([1.0, 4.0, 7.5]))
def test_the_grid_takes_at_most_one_frame_of_a_cell_and_never_goes_back(
    times: list[float], fps: float
) -> None:
    grid = Grid(fps)
    taken = [index for at in times if (index := grid.take(at)) is not None]
    assert taken == sorted(set(taken))
    assert not times or len(taken) >= 1


secrets = st.text("abcXYZ0123456789$%!/#", min_size=6, max_size=12).map(lambda word: f"Q{word}Q")


@given(
    secrets,
    secrets,
    st.sampled_from(["rtsp://{}:{}@cam/1", "http://cam/a?user={}&pwd={}", "x rtsp://{}@{}@h y"]),
)
def test_a_shown_url_holds_no_secret(user: str, password: str, pattern: str) -> None:
    shown = redact(f"cannot open {pattern.format(user, password)}: refused.")
    assert user not in shown
    assert password not in shown
    assert shown.startswith("cannot open ")


def test_the_kind_in_the_settings_decides_the_camera(tmp_path: Path) -> None:
    timeouts = {"grid_fps": 4.0, "open_timeout_ms": 1, "read_timeout_ms": 1}
    stream = CameraConfig("a", "kitchen", "rtsp", url="rtsp://h/1")
    file = CameraConfig("b", "kitchen", "replay", path=str(tmp_path / "a.mp4"))
    device = CameraConfig("c", "kitchen", "v4l2", path="/dev/video99")
    made = [make_camera(one, **timeouts) for one in (stream, file, device)]  # type: ignore[arg-type]
    assert [type(one) for one in made] == [StreamCamera, ReplayCamera, StreamCamera]


def stream(url: str, timeout_ms: int = 1000) -> StreamCamera:
    """A stream with short deadlines."""
    return StreamCamera(url, grid_fps=4.0, open_timeout_ms=timeout_ms, read_timeout_ms=timeout_ms)


@contextmanager
def web_server(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """A real HTTP server; its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Denied(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Refuse whoever comes."""
        self.send_error(401)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_a_stream_gives_frames_with_their_arrival_times(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", [10, 60, 110, 160])
    with web_server(functools.partial(_Files, directory=str(tmp_path))) as address:
        camera = stream(f"{address}/a.mp4", timeout_ms=5000)
        camera.open()
        before = time.time()
        frame = camera.read(5000)
        camera.close()
    assert frame is not None
    assert frame.pixels.shape == (48, 64, 3)
    assert before <= frame.at <= time.time()


def test_a_stream_that_ends_is_an_error_not_an_end(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", [10, 60])
    with web_server(functools.partial(_Files, directory=str(tmp_path))) as address:
        camera = stream(f"{address}/a.mp4", timeout_ms=5000)
        camera.open()
        with pytest.raises(CameraError, match="ended"):
            for _ in range(3):
                camera.read(5000)
        camera.close()


def test_a_refused_password_is_told_apart() -> None:
    with web_server(_Denied) as address, pytest.raises(CameraError) as refused:
        stream(f"{address}/stream").open()
    assert was_denied(refused.value)


def test_a_closed_port_is_an_error_without_the_password() -> None:
    with pytest.raises(CameraError, match="cannot open rtsp://") as refused:
        stream("rtsp://anna:secret@127.0.0.1:9/1?token=secret").open()
    assert "secret" not in str(refused.value)
    assert not was_denied(refused.value)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_camera_that_accepts_and_says_nothing_ends_by_the_deadline(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        started_s = time.monotonic()
        with pytest.raises(CameraError):
            stream(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/1", timeout_ms=700).open()
        assert time.monotonic() - started_s < 5


def test_a_video_device_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CameraError, match="/dev/video99"):
        stream("/dev/video99").open()
