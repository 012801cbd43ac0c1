"""Live frames in shared memory: one writer (a camera), many readers. Knows no cameras and no sockets.

A ring is a file of memory, `/dev/shm/pvc_<16 hex digits>`, mode 0600, little-endian:

* 64 bytes of header: magic `PVCRING1`, uint32 version, slots, height, width, float64 fps, uint64 frames
  written;
* per slot 32 bytes: uint64 seq (odd while it is written), float64 POSIX seconds, int64 grid index (-1:
  empty), uint64 CRC-32 of the two before and the pixels;
* per slot uint8 (H, W, 3) RGB.

Frames lie on an absolute grid: index `floor(posix * fps)`; of several frames in a cell the first is kept.
Readers map the ring read-only. The checksum shows a torn frame also where stores are seen out of order (Arm).
The writer holds a file lock, so what a killed writer left behind can be told and swept.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import re
import secrets
import struct
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.contract.clip import Clip
from runtime.contract.errors import CameraError

RING_SLOTS = 24
RING_FPS = 4.0
MAX_WIDTH, MAX_HEIGHT = 640, 480
_FOLDER = Path("/dev/shm")  # noqa: S108 - POSIX shared memory lives here
_NAME = re.compile(r"^pvc_[0-9a-f]{16}$")
_HEADER = struct.Struct("<8sIIIIdQ")
_MAGIC, _VERSION = b"PVCRING1", 1
_HEADER_BYTES = 64
_WRITTEN_AT = 32
_SLOT = np.dtype([("seq", "<u8"), ("at", "<f8"), ("grid", "<i8"), ("crc", "<u8")])
_MAX_SLOTS = 1024
_ATTEMPTS = 5
_SWEEP_AGE_S = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """The newest frames of a ring.

    Attributes:
        clip: as many frames as asked for, on the grid; a missing one repeats its neighbour.
        newest_at: POSIX seconds (UTC) at which the newest frame was taken.
        missing_frames: how many of the frames are such repeats.
        marks: of each frame, what tells its writing from all others in this ring: equal marks, equal pixels.
    """

    clip: Clip
    newest_at: float
    missing_frames: int
    marks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    slots: int
    height: int
    width: int
    fps: float

    @property
    def frame_bytes(self) -> int:
        return self.height * self.width * 3

    @property
    def pixels_at(self) -> int:
        return _HEADER_BYTES + self.slots * _SLOT.itemsize

    @property
    def total_bytes(self) -> int:
        return self.pixels_at + self.slots * self.frame_bytes

    def table(self, memory: mmap.mmap) -> NDArray[Any]:
        """Structured (slots,) view of the slot headers."""
        return np.frombuffer(memory, dtype=_SLOT, count=self.slots, offset=_HEADER_BYTES)

    def pixels(self, memory: mmap.mmap) -> NDArray[np.uint8]:
        """uint8 (slots, H, W, 3) view."""
        count = self.slots * self.frame_bytes
        flat = np.frombuffer(memory, dtype=np.uint8, count=count, offset=self.pixels_at)
        return flat.reshape(self.slots, self.height, self.width, 3)


def ring_size(frame_width: int, frame_height: int) -> tuple[int, int]:
    """(width, height) at which a camera's frames are stored: at most 640x480, aspect kept, never enlarged."""
    scale = min(1.0, MAX_WIDTH / frame_width, MAX_HEIGHT / frame_height)
    return max(1, round(frame_width * scale)), max(1, round(frame_height * scale))


class RingWriter:
    """Creates a ring and fills it; `close` removes it. For one thread."""

    def __init__(self, width: int, height: int, *, fps: float = RING_FPS, slots: int = RING_SLOTS) -> None:
        """Make a ring for frames of exactly this size (see `ring_size`).

        Raises:
            CameraError: shared memory is full or absent.
        """
        if not (0 < width <= MAX_WIDTH and 0 < height <= MAX_HEIGHT and 2 <= slots <= _MAX_SLOTS and fps > 0):
            raise CameraError(f"a ring cannot hold {slots} frames of {width}x{height} at {fps} fps.")
        self.name = f"pvc_{secrets.token_hex(8)}"
        self._layout = _Layout(slots, height, width, fps)
        self._fd = _create(_FOLDER / self.name, self._layout.total_bytes)
        self._memory = mmap.mmap(self._fd, self._layout.total_bytes)
        self._table = self._layout.table(self._memory)
        self._pixels = self._layout.pixels(self._memory)
        self._table["grid"] = -1
        self._last_grid = -1
        self._written = 0
        _HEADER.pack_into(self._memory, 0, _MAGIC, _VERSION, slots, height, width, fps, 0)

    def wants(self, at: float) -> bool:
        """Whether a frame taken at POSIX second `at` opens a new grid cell; ask before resizing."""
        return math.floor(at * self._layout.fps) != self._last_grid

    def write(self, frame: NDArray[np.uint8], at: float) -> bool:
        """Store a frame; False when its grid cell already has one. A clock that went back empties the ring.

        Args:
            frame: uint8 (H, W, 3) RGB, 0-255, of the ring's size.
            at: POSIX seconds (UTC) at which it was taken.

        Raises:
            CameraError: the frame is not what the ring holds.
        """
        layout = self._layout
        if frame.dtype != np.uint8 or frame.shape != (layout.height, layout.width, 3):
            raise CameraError(
                f"ring holds uint8 ({layout.height}, {layout.width}, 3), got {frame.dtype} {frame.shape}.",
                "Open a new ring when the camera changes its size.",
            )
        if not self.wants(at):
            return False
        grid = math.floor(at * layout.fps)
        if grid < self._last_grid:
            self._empty()
        slot = self._written % layout.slots
        seq = int(self._table["seq"][slot])
        self._table["seq"][slot] = seq + 1
        self._pixels[slot] = frame
        self._table["at"][slot] = at
        self._table["grid"][slot] = grid
        self._table["crc"][slot] = _checksum(self._table[slot], self._pixels[slot])
        self._table["seq"][slot] = seq + 2
        self._last_grid = grid
        self._written += 1
        struct.pack_into("<Q", self._memory, _WRITTEN_AT, self._written)
        return True

    def _empty(self) -> None:
        for slot in range(self._layout.slots):
            self._table["seq"][slot] += 1
            self._table["grid"][slot] = -1
            self._table["seq"][slot] += 1

    def close(self) -> None:
        """Remove the ring; readers that have it open keep what they have. Twice is fine."""
        if self._fd < 0:
            return
        (_FOLDER / self.name).unlink(missing_ok=True)
        del self._table, self._pixels
        self._memory.close()
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> RingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RingReader:
    """Maps a ring read-only. Never removes it. For one thread."""

    def __init__(self, name: str) -> None:
        """Open the ring called `name`.

        Raises:
            CameraError: no such ring, not ours, or not a ring.
        """
        self.name = name
        self._memory, self._layout = _attach(name)
        self._table = self._layout.table(self._memory)
        self._pixels = self._layout.pixels(self._memory)

    @property
    def written(self) -> int:
        """Frames written since the ring was made."""
        return int(struct.unpack_from("<Q", self._memory, _WRITTEN_AT)[0])

    def window(self, frames: int, fps: float) -> Window:
        """The last `frames` grid frames.

        Raises:
            CameraError: no whole frame yet, or another frame rate than the ring's.
        """
        layout = self._layout
        if fps != layout.fps or not 1 <= frames <= layout.slots:
            raise CameraError(
                f"ring {self.name} holds {layout.slots} frames at {layout.fps:g} fps, "
                f"asked for {frames} at {fps:g} fps.",
                "Restart the daemon after changing the bundle.",
            )
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(0.001)
            window = self._collect(frames)
            if window is not None:
                return window
        raise CameraError(f"ring {self.name} holds no whole frame yet.", "Wait for the camera's first frame.")

    def _collect(self, frames: int) -> Window | None:
        table = self._table.copy()
        whole = (table["seq"] % 2 == 0) & (table["grid"] >= 0)
        slots = {int(table["grid"][slot]): int(slot) for slot in np.flatnonzero(whole)}
        if not slots:
            return None
        newest = max(slots)
        first = newest - frames + 1
        found: dict[int, NDArray[np.uint8]] = {}
        for grid in range(first, newest + 1):
            frame = self._copy(slots[grid], table[slots[grid]]) if grid in slots else None
            if frame is not None:
                found[grid] = frame
        if newest not in found:
            return None
        used = [_neighbour(grid, found) for grid in range(first, newest + 1)]
        fps = self._layout.fps
        clip = Clip(np.stack([found[grid] for grid in used]), fps=fps, started_at=first / fps)
        marks = tuple(slots[grid].to_bytes(4, "little") + table[slots[grid]].tobytes() for grid in used)
        return Window(clip, float(table["at"][slots[newest]]), frames - len(found), marks)

    def _copy(self, slot: int, before: NDArray[Any]) -> NDArray[np.uint8] | None:
        """The slot's pixels, or None when it changed since `before` was read."""
        frame: NDArray[np.uint8] = self._pixels[slot].copy()
        changed = self._table[slot].tobytes() != before.tobytes()
        return None if changed or _checksum(before, frame) != int(before["crc"]) else frame

    def close(self) -> None:
        """Unmap. Twice is fine."""
        if not self._memory.closed:
            del self._table, self._pixels
            self._memory.close()

    def __enter__(self) -> RingReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_window(name: str, frames: int, fps: float) -> Window:
    """The last `frames` grid frames of the ring called `name`.

    Raises:
        CameraError: no such ring, no whole frame yet, or another frame rate.
    """
    with RingReader(name) as reader:
        return reader.window(frames, fps)


def ring_exists(name: str) -> bool:
    """Whether a camera's ring is still there: its writer removes it, or a sweep does."""
    return _NAME.match(name) is not None and (_FOLDER / name).exists()


def sweep_rings() -> int:
    """Remove rings whose writer died without closing them; how many there were."""
    removed = 0
    for path in _FOLDER.glob("pvc_*"):
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # gone meanwhile, or another user's
        try:
            # A ring has no lock for an instant after it is made; an old one without a lock has no writer.
            old = time.time() - os.fstat(fd).st_ctime > _SWEEP_AGE_S
            if old and _NAME.match(path.name) and _lock(fd):
                path.unlink(missing_ok=True)
                removed += 1
        finally:
            os.close(fd)
    return removed


def _checksum(slot: NDArray[Any], frame: NDArray[np.uint8]) -> int:
    return zlib.crc32(frame.data, zlib.crc32(slot.tobytes()[8:24]))


def _neighbour(grid: int, found: dict[int, NDArray[np.uint8]]) -> int:
    """The nearest earlier grid index that was found, else the nearest later one."""
    earlier = [index for index in found if index <= grid]
    return max(earlier) if earlier else min(found)


def _create(path: Path, total_bytes: int) -> int:
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CameraError(f"cannot make shared memory in {_FOLDER}: {error.strerror}.") from error
    try:
        # Without allocating now, a full /dev/shm would kill the writer with SIGBUS later.
        os.posix_fallocate(fd, 0, total_bytes)
    except OSError as error:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise CameraError(
            f"shared memory for a camera needs {total_bytes >> 20} MiB: {error.strerror}.",
            f"Free some of {_FOLDER}, or use fewer cameras.",
        ) from error
    _lock(fd)
    return fd


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _attach(name: str) -> tuple[mmap.mmap, _Layout]:
    if not _NAME.match(name):
        raise CameraError(f"{name!r} is no name of a camera ring.")
    try:
        fd = os.open(_FOLDER / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CameraError(
            f"camera ring {name} cannot be opened: {error.strerror}.", "The camera was closed; ask again."
        ) from error
    try:
        status = os.fstat(fd)
        raw = os.pread(fd, _HEADER.size, 0)
        if status.st_uid != os.geteuid() or len(raw) != _HEADER.size:
            raise CameraError(f"{name} is no camera ring of this user.")
        magic, version, slots, height, width, fps, _ = _HEADER.unpack(raw)
        layout = _Layout(slots, height, width, fps)
        sound = (
            magic == _MAGIC
            and version == _VERSION
            and 0 < width <= MAX_WIDTH
            and 0 < height <= MAX_HEIGHT
            and 2 <= slots <= _MAX_SLOTS
            and fps > 0
            and status.st_size == layout.total_bytes
        )
        if not sound:
            raise CameraError(f"{name} is no camera ring of version {_VERSION}.", "Restart the daemon.")
        return mmap.mmap(fd, layout.total_bytes, access=mmap.ACCESS_READ), layout
    finally:
        os.close(fd)
