"""Video files to clips: what is sampled, what is refused."""

from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime import video as video_module
from runtime.contract.errors import ContentError, UnavailableError, UsageError
from runtime.video import read_video


def numbered(count: int, width: int = 64, height: int = 48) -> list[NDArray[np.uint8]]:
    """Frames that tell their number by brightness, with a mark in the upper left corner."""
    frames = []
    for number in range(count):
        frame = np.full((height, width, 3), 20 + number * 2, dtype=np.uint8)
        frame[: height // 4, : width // 4] = 255
        frames.append(frame)
    return frames


def write(
    path: Path,
    frames: list[NDArray[np.uint8]],
    *,
    fps: int = 20,
    codec: str = "mpeg4",
    rotation: int = 0,
    pix_fmt: str = "yuv420p",
) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pix_fmt
        if rotation:
            stream.set_display_rotation(rotation)
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mkv", "mpeg4"),
        ("a.avi", "mpeg4"),
        ("a.webm", "libvpx"),
        ("a.mpg", "mpeg1video"),
    ],
)
def test_common_containers_are_sampled_on_the_grid(tmp_path: Path, name: str, codec: str) -> None:
    path = write(tmp_path / name, numbered(41), fps=25 if codec == "mpeg1video" else 20, codec=codec)
    source_fps = 25 if codec == "mpeg1video" else 20
    video = read_video(path, fps=4)
    shown = [round((float(frame[30:, 30:].mean()) - 20) / 2) for frame in video.clip.frames]
    step = source_fps / 4
    wanted = [int(np.ceil(index * step)) for index in range(int((41 - 1) / step) + 1)]
    assert len(shown) == len(wanted)
    assert all(abs(a - b) <= 1 for a, b in zip(shown, wanted, strict=True))
    assert (video.width, video.height, video.scale, video.cut) == (64, 48, 1.0, False)


def test_a_slow_camera_repeats_its_last_frame(tmp_path: Path) -> None:
    video = read_video(write(tmp_path / "a.mkv", numbered(3), fps=1, codec="ffv1", pix_fmt="bgr0"), fps=4)
    shown = [int(frame[-1, -1, 0]) for frame in video.clip.frames]
    assert shown == [20] * 4 + [22] * 4 + [24]


def test_frames_after_the_limit_are_not_read_and_that_is_said(tmp_path: Path) -> None:
    video = read_video(write(tmp_path / "a.mkv", numbered(60), fps=20), fps=4, max_s=1.0)
    assert len(video.clip.frames) == 4
    assert video.cut
    assert video.source_s == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_phone_held_sideways_gives_upright_frames(tmp_path: Path, rotation: int) -> None:
    path = write(tmp_path / "a.mp4", numbered(5), rotation=rotation)
    video = read_video(path, fps=4)
    upright = np.rot90(numbered(1)[0], rotation // 90)
    assert video.clip.frames.shape[1:] == upright.shape
    assert (video.height, video.width) == upright.shape[:2]
    corner = {90: (-1, 0), 180: (-1, -1), -90: (0, -1)}[rotation]
    assert video.clip.frames[0][corner].min() > 200
    assert upright[corner].min() > 200


def test_huge_frames_are_shrunk_while_decoding(tmp_path: Path) -> None:
    video = read_video(write(tmp_path / "a.mp4", numbered(2, 1920, 1080)), fps=4)
    assert video.clip.frames.shape == (1, 720, 1280, 3)
    assert video.scale == 1.5
    assert (video.width, video.height) == (1920, 1080)


def test_a_long_clip_is_shrunk_to_fit_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_module, "MAX_FRAMES_MIB", 1)
    video = read_video(write(tmp_path / "a.mp4", numbered(60, 640, 480)), fps=20)
    assert len(video.clip.frames) == 60
    assert video.clip.frames.nbytes <= 1.1 * (1 << 20)


def test_damaged_grey_frames_are_left_out(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 128, dtype=np.uint8)
    half = numbered(1)[0]
    half[:40] = 128
    frames = [grey] * 5 + [half] * 5 + numbered(10)
    video = read_video(write(tmp_path / "a.mkv", frames, fps=20, codec="ffv1", pix_fmt="bgr0"), fps=4)
    assert len(video.clip.frames) == 2
    assert video.first_s == 0.5
    assert video.damaged_frames >= 2
    only = write(tmp_path / "b.mkv", [grey] * 9, codec="ffv1", pix_fmt="bgr0")
    with pytest.raises(ContentError, match="are damaged"):
        read_video(only, fps=4)


def test_a_dark_room_is_not_taken_for_damage(tmp_path: Path) -> None:
    dark = [np.zeros((48, 64, 3), dtype=np.uint8)] * 5
    assert read_video(write(tmp_path / "a.mkv", dark), fps=4).damaged_frames == 0


def test_a_missing_path_and_a_directory_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_video(tmp_path / "none.mp4", fps=4)
    with pytest.raises(UsageError, match="is a directory"):
        read_video(tmp_path, fps=4)


def test_what_holds_no_video_is_a_content_error_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 99)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:2,\n/etc/hostname\n")
    whole = write(tmp_path / "whole.mp4", numbered(30)).read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate = 16000
        for packet in [*stream.encode(sound), *stream.encode()]:
            container.mux(packet)
    for name in ("empty.mp4", "text.mp4", "list.m3u8", "half.mp4", "sound.mp4"):
        with pytest.raises(ContentError, match=name) as caught:
            read_video(tmp_path / name, fps=4)
        assert caught.value.next_step


def test_a_file_cut_short_gives_the_frames_that_are_whole(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mkv", numbered(80, 640, 480), codec="ffv1", pix_fmt="bgr0").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    full, cut = read_video(tmp_path / "a.mkv", fps=4), read_video(tmp_path / "cut.mkv", fps=4)
    assert 1 <= len(cut.clip.frames) < len(full.clip.frames)
    assert (cut.clip.frames == full.clip.frames[: len(cut.clip.frames)]).all()


def test_a_still_picture_is_a_clip_of_one_frame_whatever_its_name(tmp_path: Path) -> None:
    for name in ("still.jpg", "odd%03d.png"):
        assert cv2.imwrite(str(tmp_path / name), numbered(1)[0])
        video = read_video(tmp_path / name, fps=4)
        assert video.clip.frames.shape == (1, 48, 64, 3)


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EAGAIN])
def test_memory_that_runs_out_in_the_middle_is_no_shorter_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A clip that ends early would be proof that nobody came later."""
    path = write(tmp_path / "a.mkv", numbered(8))

    class RunsOut:
        def __init__(self, container: Any) -> None:
            self.container = container
            self.streams, self.duration = container.streams, container.duration

        def decode(self, stream: Any) -> Any:
            yield next(self.container.decode(stream))
            raise av.error.FFmpegError(number, "not enough")

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            self.container.close()

    opened = video_module._open
    monkeypatch.setattr(video_module, "_open", lambda path: RunsOut(opened(path)))
    with pytest.raises(UnavailableError, match="cannot be decoded now: not enough"):
        read_video(path, fps=4.0)
