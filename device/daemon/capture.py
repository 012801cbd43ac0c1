"""The process of one camera: `python -m device.daemon.capture`. Knows no other camera, models or sockets.

Its order comes as one line of JSON on standard input (never in the arguments, which everybody can read: a URL
may hold a password). It answers with lines of JSON on standard output: `{"ring": …}` when frames flow,
`{"problem": …}` when it gives up. It ends when standard input closes, that is, when the daemon is gone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from types import FrameType
from typing import IO

from device.cameras.base import Camera
from device.cameras.factory import make_camera
from device.cameras.stream import was_denied
from device.config import CameraConfig
from runtime.contract.errors import CameraError, PvchatError
from runtime.contract.settings import parse_settings
from runtime.frames import RingWriter

EXIT_ENDED = 0
EXIT_FAILED = 1
EXIT_DENIED = 3
_LAST_SECONDS_S = 1.0


@dataclass(frozen=True, slots=True)
class CaptureOrder:
    """What one capture process is to do.

    Attributes:
        camera: with absolute paths.
        fps, slots: of the ring.
        open_timeout_ms, read_timeout_ms: deadlines of the camera.
    """

    camera: CameraConfig
    fps: float
    slots: int
    open_timeout_ms: int
    read_timeout_ms: int

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @staticmethod
    def from_line(line: bytes) -> CaptureOrder:
        """Read what `to_line` wrote.

        Raises:
            ConfigError: not an order.
        """
        return parse_settings(json.loads(line), CaptureOrder, where="capture order")


def capture(order: CaptureOrder, camera: Camera, out: IO[str]) -> None:
    """Fill a ring until the source ends.

    Raises:
        CameraError: no picture in time, or a picture of another size.
    """
    camera.open()
    frame = camera.read(order.read_timeout_ms)
    if frame is None:
        raise CameraError(f"camera {order.camera.name} has no frame.", "Check its source.")
    height, width = frame.pixels.shape[:2]
    with RingWriter(width, height, fps=order.fps, slots=order.slots) as ring:
        ring.write(frame.pixels, frame.at)
        _tell(out, "ring", ring.name)
        while (frame := camera.read(order.read_timeout_ms)) is not None:
            ring.write(frame.pixels, frame.at)


def _tell(out: IO[str], key: str, value: str) -> None:
    out.write(json.dumps({key: value}) + "\n")
    out.flush()


def _end(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(EXIT_ENDED)


def _end_with_parent() -> None:
    """Block until the daemon closes our standard input (or dies), then end, by force if need be."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LAST_SECONDS_S)
    os._exit(EXIT_FAILED)


def main() -> int:
    """Run until the source ends, the daemon goes, or the camera fails."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(0, "rb", buffering=0, closefd=False) as orders:
        order = CaptureOrder.from_line(orders.readline())
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    camera: Camera | None = None
    try:
        camera = make_camera(
            order.camera,
            grid_fps=order.fps,
            open_timeout_ms=order.open_timeout_ms,
            read_timeout_ms=order.read_timeout_ms,
        )
        capture(order, camera, sys.stdout)
    except PvchatError as error:
        _tell(sys.stdout, "problem", str(error))
        return EXIT_DENIED if isinstance(error, CameraError) and was_denied(error) else EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the place is logged, the message is not: it may hold a password
        sys.stderr.write("".join(traceback.format_tb(error.__traceback__)))
        _tell(sys.stdout, "problem", f"camera {order.camera.name} failed: {type(error).__name__}.")
        return EXIT_FAILED
    finally:
        if camera is not None:
            camera.close()
    _tell(sys.stdout, "problem", f"camera {order.camera.name}: its files have ended.")
    return EXIT_ENDED


if __name__ == "__main__":
    sys.exit(main())
