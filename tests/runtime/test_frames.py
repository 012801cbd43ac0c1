"""Claims about the shared-memory rings of live frames; the writer is a second process where it matters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime import frames
from runtime.contract.errors import CameraError
from runtime.frames import RingReader, RingWriter, read_window, ring_size, sweep_rings

ROOT = Path(__file__).parents[2]
SHM = Path("/dev/shm")  # noqa: S108
FPS = 4.0
START = 1_700_000_000.0


@pytest.fixture
def ring() -> Iterator[RingWriter]:
    with RingWriter(32, 24) as writer:
        yield writer


def picture(value: int, width: int = 32, height: int = 24) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((height, width, 3), value, dtype=np.uint8)


def fill(writer: RingWriter, count: int, start: float = START) -> None:
    for index in range(count):
        assert writer.write(picture(index), start + index / FPS)


def test_window_is_the_newest_frames_in_order(ring: RingWriter) -> None:
    fill(ring, 30)
    window = read_window(ring.name, 8, FPS)
    assert window.clip.frames[:, 0, 0, 0].tolist() == list(range(22, 30))
    assert window.missing_frames == 0
    assert window.newest_at == START + 29 / FPS
    assert window.clip.started_at == START + 22 / FPS
    assert window.clip.fps == FPS


def test_skipped_grid_cell_repeats_its_neighbour_and_is_counted(ring: RingWriter) -> None:
    for index in (0, 1, 2, 5, 6, 7):
        ring.write(picture(index), START + index / FPS)
    window = read_window(ring.name, 8, FPS)
    assert window.clip.frames[:, 0, 0, 0].tolist() == [0, 1, 2, 2, 2, 5, 6, 7]
    assert window.missing_frames == 2


def test_frames_before_the_first_repeat_the_first(ring: RingWriter) -> None:
    fill(ring, 3)
    window = read_window(ring.name, 8, FPS)
    assert window.clip.frames[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 0, 0, 1, 2]
    assert window.missing_frames == 5


def test_a_grid_cell_keeps_its_first_frame(ring: RingWriter) -> None:
    assert ring.write(picture(1), START + 0.01)
    assert not ring.wants(START + 0.2)
    assert not ring.write(picture(2), START + 0.2)
    window = read_window(ring.name, 1, FPS)
    assert window.clip.frames[0, 0, 0, 0] == 1
    assert window.newest_at == START + 0.01


def test_clock_that_goes_back_empties_the_ring(ring: RingWriter) -> None:
    fill(ring, 10)
    ring.write(picture(99), START - 3600)
    window = read_window(ring.name, 8, FPS)
    assert window.newest_at == START - 3600
    assert (window.clip.frames == 99).all()
    assert window.missing_frames == 7


def test_empty_ring_is_a_camera_error(ring: RingWriter) -> None:
    with pytest.raises(CameraError, match="no whole frame"):
        read_window(ring.name, 8, FPS)


def test_another_frame_rate_is_a_camera_error(ring: RingWriter) -> None:
    fill(ring, 8)
    with pytest.raises(CameraError, match="at 4 fps, asked for 8 at 5 fps"):
        read_window(ring.name, 8, 5.0)


def test_frame_of_another_size_is_refused(ring: RingWriter) -> None:
    with pytest.raises(CameraError, match=r"got uint8 \(24, 31, 3\)"):
        ring.write(picture(1, width=31), START)


def test_slot_that_is_being_written_is_not_returned(ring: RingWriter) -> None:
    fill(ring, 8)
    ring._table["seq"][7] += 1
    window = read_window(ring.name, 8, FPS)
    assert window.newest_at == START + 6 / FPS


def test_slot_with_one_changed_pixel_is_not_returned(ring: RingWriter) -> None:
    fill(ring, 8)
    ring._pixels[3, 5, 5, 1] ^= 1
    window = read_window(ring.name, 8, FPS)
    assert window.missing_frames == 1
    assert window.clip.frames[:, 0, 0, 0].tolist() == [0, 1, 2, 2, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "name", ["pvc_../../etc/passwd", "/pvc_0123456789abcdef", "", "psm_0123456789abcdef"]
)
def test_name_that_is_no_ring_is_refused(name: str) -> None:
    with pytest.raises(CameraError, match="no name of a camera ring"):
        RingReader(name)


def test_file_that_is_no_ring_is_refused() -> None:
    path = SHM / "pvc_00000000000000ff"
    path.write_bytes(b"x" * 4096)
    try:
        with pytest.raises(CameraError, match="no camera ring"):
            RingReader(path.name)
    finally:
        path.unlink()


def test_truncated_ring_is_refused(ring: RingWriter) -> None:
    fill(ring, 8)
    os.truncate(SHM / ring.name, 4096)
    with pytest.raises(CameraError, match="no camera ring"):
        RingReader(ring.name)


def test_closed_ring_is_gone_and_open_reader_keeps_what_it_has() -> None:
    writer = RingWriter(32, 24)
    fill(writer, 8)
    with RingReader(writer.name) as reader:
        writer.close()
        writer.close()
        assert reader.window(8, FPS).missing_frames == 0
        assert reader.written == 8
    with pytest.raises(CameraError, match="cannot be opened"):
        RingReader(writer.name)


def test_ring_is_private_to_the_user(ring: RingWriter) -> None:
    assert (SHM / ring.name).stat().st_mode & 0o777 == 0o600


def test_stored_size_keeps_aspect_and_is_never_enlarged() -> None:
    assert ring_size(1920, 1080) == (640, 360)
    assert ring_size(1080, 1920) == (270, 480)
    assert ring_size(320, 240) == (320, 240)


_WRITER = """
import sys, time
import numpy as np
from runtime.frames import RingWriter
with RingWriter(640, 480, fps=4000.0, slots=4) as ring:
    print(ring.name, flush=True)
    value, until = 0, time.time() + float(sys.argv[1])
    while time.time() < until:
        ring.write(np.full((480, 640, 3), value % 256, dtype=np.uint8), time.time())
        value += 1
"""


def start_writer(seconds: float) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(seconds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_reader_in_another_process_never_sees_a_torn_frame() -> None:
    process, name = start_writer(3.0)
    whole = refused = 0
    with process, RingReader(name) as reader:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            try:
                window = reader.window(1, 4000.0)
            except CameraError:
                refused += 1
                continue
            frame = window.clip.frames[0]
            assert (frame == frame[0, 0, 0]).all()
            whole += 1
        assert reader.written > whole / 4
        _, errors = process.communicate(timeout=30)
    assert whole > 20
    assert errors == ""
    assert not (SHM / name).exists()


def test_reader_that_ends_leaves_the_ring_in_place(ring: RingWriter) -> None:
    fill(ring, 8)
    code = f"from runtime.frames import read_window; print(read_window({ring.name!r}, 8, 4.0).missing_frames)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert read_window(ring.name, 8, FPS).missing_frames == 0


def test_ring_of_a_killed_writer_is_swept_and_a_live_one_is_not(
    ring: RingWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_SWEEP_AGE_S", -60.0)
    process, name = start_writer(60.0)
    with process:
        sweep_rings()
        assert (SHM / name).exists()
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    assert (SHM / name).exists()
    assert sweep_rings() >= 1
    assert not (SHM / name).exists()
    assert (SHM / ring.name).exists()
