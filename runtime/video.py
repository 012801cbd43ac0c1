"""Video files to clips sampled at a given rate. Knows no models and no meaning of what it shows.

Frames lie on a grid of 1/fps seconds from the file's start; each grid point takes the first decoded frame at
or after it, and a gap repeats the frame before. Frames that decoded to flat grey (damaged files), and those
after them that are still mostly that grey, are left out.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from runtime.contract.clip import Clip
from runtime.contract.errors import ContentError, UnavailableError, UsageError

MAX_WIDTH = 1280
MAX_CLIP_S = 60.0
MAX_FRAMES_MIB = 256
_MIB = 1 << 20
# Playlists and concatenation scripts name further files and addresses; only plain containers are opened.
_CONTAINERS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,h264,hevc,m4v,mjpeg,gif,image2"
_STILLS = "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe"
_GREY = 128
_GREY_REACH = 10
_FLAT_DEVIATION = 3.0
_MOSTLY = 0.4
_NO_ROOM = (errno.ENOMEM, errno.EAGAIN)
"""What memory or threads that are not enough look like: a fault of this moment, not of the file."""
_RECORD_AGAIN = "Record or copy the clip again, as mp4, webm, mkv, avi or mpg."


@dataclass(frozen=True, slots=True)
class Video:
    """A decoded file.

    Attributes:
        clip: the sampled frames, upright, at most 1280 pixels wide.
        width, height: of the upright original in pixels.
        source_s: seconds of video in the file, as far as it was decoded or its header says.
        first_s: seconds from the file's start to the first frame of the clip.
        damaged_frames: frames left out because they decoded to nothing.
        cut: whether the file is longer than what was read.
    """

    clip: Clip
    width: int
    height: int
    source_s: float
    first_s: float
    damaged_frames: int
    cut: bool

    @property
    def scale(self) -> float:
        """Pixels of the original per pixel of the clip."""
        return self.width / int(self.clip.frames.shape[2])


def read_video(path: Path, *, fps: float, max_s: float = MAX_CLIP_S) -> Video:
    """Decode the first `max_s` seconds of a file.

    Args:
        path: mp4, webm, mkv, avi, mpg or a still picture.
        fps: frames per second of the result.

    Raises:
        UsageError: nothing lies at the path, or a directory.
        ContentError: no video in it, or none that can be decoded.
        UnavailableError: the memory or the threads are not enough just now; nothing is said of the clip.
    """
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise UsageError(f"the clip {path} {what}.", "Check the path.")
    if path.stat().st_size == 0:
        raise ContentError(f"the clip {path.name} is empty (0 bytes).", _RECORD_AGAIN)
    try:
        with _open(path) as container:
            return _read(path, container, fps, max_s)
    except av.error.FFmpegError as error:
        if error.errno in _NO_ROOM:
            raise UnavailableError(
                f"the clip {path.name} cannot be decoded now: {error.strerror}.",
                "Free some memory, then try again.",
            ) from error
        reason = error.strerror or type(error).__name__
        raise ContentError(f"the clip {path.name} cannot be decoded: {reason}.", _RECORD_AGAIN) from error


def _open(path: Path) -> Any:
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": f"{_CONTAINERS},{_STILLS}",
        "pattern_type": "none",
    }
    return av.open(str(path.absolute()), options=options)


def _read(path: Path, container: Any, fps: float, max_s: float) -> Video:
    stream = next((s for s in container.streams.video if not _is_cover_picture(s)), None)
    if stream is None:
        raise ContentError(f"the clip {path.name} holds no video.", _RECORD_AGAIN)
    stream.thread_type = "AUTO"
    announced_s = _duration_s(container, stream)
    expected = max(1, int(min(announced_s or max_s, max_s) * fps) + 1)
    grid: list[NDArray[np.uint8] | None] = []
    seen_s, cut, size, damaged, grey = 0.0, False, (0, 0), 0, False
    for at_s, frame in _frames(container, stream):
        if at_s >= max_s:
            cut = True
            break
        seen_s = at_s
        due = int(at_s * fps + 1e-6) + 1
        if due <= len(grid):
            continue
        picture, size = _upright(frame, expected)
        grey = _is_grey(picture, after_grey=grey)
        if grey:
            damaged += 1
            continue
        grid += [grid[-1] if grid else None] * (due - 1 - len(grid)) + [picture]
    good = [picture for picture in grid if picture is not None]
    if not good:
        problem = f"all {damaged} frames are damaged" if damaged else "no frame can be decoded"
        raise ContentError(f"the clip {path.name} cannot be used: {problem}.", _RECORD_AGAIN)
    frames = np.stack([picture for picture in good if picture.shape == good[0].shape])
    source_s, first_s = max(announced_s or 0.0, seen_s), (len(grid) - len(good)) / fps
    return Video(Clip(frames, fps), *size, source_s, first_s, damaged, cut)


def _frames(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Seconds from the first frame, and the frame; a file that ends in damage just ends."""
    first: float | None = None
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    number, yielded = 0, False
    try:
        for frame in container.decode(stream):
            at = frame.time if frame.time is not None else number / rate
            first = at if first is None else first
            number, yielded = number + 1, True
            yield max(0.0, at - first), frame
    except av.error.FFmpegError as error:
        if not yielded or error.errno in _NO_ROOM:
            raise


def _is_cover_picture(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _duration_s(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration / av.time_base) if container.duration is not None else None


def _upright(frame: Any, expected: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """RGB pixels, shrunk so that all expected frames fit the memory, turned upright; the original's size."""
    width, height = frame.width, frame.height
    aspect = height / width
    fitting = int((MAX_FRAMES_MIB * _MIB / (3 * expected * aspect)) ** 0.5)
    turns = round(frame.rotation / 90) % 4
    longest = max(16, min(fitting, MAX_WIDTH if turns % 2 == 0 else int(MAX_WIDTH / aspect)))
    target = min(width, longest // 2 * 2)
    if target < width:
        rgb = frame.to_ndarray(format="rgb24", width=target, height=max(2, round(target * aspect)))
    else:
        rgb = frame.to_ndarray(format="rgb24")
    picture = np.ascontiguousarray(np.rot90(rgb, turns))
    return picture, (width, height) if turns % 2 == 0 else (height, width)


def _is_grey(picture: NDArray[np.uint8], *, after_grey: bool) -> bool:
    """Whether a frame is what decoders make of missing data: one even grey, or mostly, after such a frame."""
    small = picture[::8, ::8].astype(np.float32)
    near = (np.abs(small - _GREY) <= _GREY_REACH).all(axis=-1).mean()
    return bool(near > _MOSTLY and (after_grey or small.std() < _FLAT_DEVIATION))
