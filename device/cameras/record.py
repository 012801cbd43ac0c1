"""Some seconds of a camera as a video file, to learn a person from. Knows no people and no daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import av.error

from device.cameras.base import Camera
from runtime.contract.errors import CameraError, StoreError

_OPTIONS = {"crf": "14", "preset": "veryfast"}
_LEAST_FRAMES = 2


def record(
    camera: Camera, path: Path, *, seconds: float, fps: float, read_timeout_ms: int,
    progress: Callable[[float], None] = lambda seconds_left: None,
    clock: Callable[[], float] = time.monotonic,
) -> int:  # fmt: skip
    """Record a camera that is not open; frames keep their places on the time grid.

    Args:
        path: where the video goes (Matroska, H.264); its folder exists.
        fps: of the camera's time grid.
        progress: gets the seconds that are left, at most once a second.

    Returns:
        how many frames there are.

    Raises:
        CameraError: it cannot be opened, broke off, or gave hardly a frame. StoreError: it does not fit.
    """
    camera.open()
    try:
        with av.open(str(path), "w", format="matroska") as container:
            rate = Fraction(fps).limit_denominator(1000)
            stream = container.add_stream("libx264", rate=rate)
            stream.pix_fmt, stream.options = "yuv420p", dict(_OPTIONS)
            beat = 1 / rate  # the stream's own becomes milliseconds as soon as it is written
            stream.codec_context.time_base = beat
            first, count, told = None, 0, seconds
            until = clock() + seconds
            while (left := until - clock()) > 0:
                if told - left >= 1:
                    progress(left)
                    told = left
                frame = camera.read(read_timeout_ms)
                if frame is None:
                    break
                if first is None:
                    first = frame.index
                    stream.height, stream.width = (side - side % 2 for side in frame.pixels.shape[:2])
                if frame.index - first > seconds * fps:
                    break  # it was waited for, and came too late
                pixels = frame.pixels[: stream.height, : stream.width]
                picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                picture.pts, picture.time_base = frame.index - first, beat
                container.mux(stream.encode(picture))
                count += 1
            if count:
                container.mux(stream.encode())
    except (OSError, av.error.FFmpegError) as error:  # a camera's own are CameraError
        raise StoreError(
            f"cannot write the recording into {path.parent}: {error.strerror}.",
            "Check the disk's free space.",
        ) from error
    finally:
        camera.close()
    if count < _LEAST_FRAMES:
        raise CameraError(f"the camera gave {count} frames in {seconds:.0f} s.", "See `pvchat-edge status`.")
    return count
