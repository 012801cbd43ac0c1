"""All cameras of the home, watched and kept running. Knows no models and no questions."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.config import CameraConfig
from device.daemon.backoff import Backoff
from device.daemon.camera_state import CameraWatch, Ended, Limits, Seen, Started, look_at
from device.daemon.capture import EXIT_DENIED, EXIT_ENDED, CaptureOrder
from device.daemon.capture_child import GRACE_S, CaptureChild
from runtime.contract.dialogue import CameraReport
from runtime.contract.errors import CameraError
from runtime.contract.serving import WindowSource
from runtime.frames import RING_SLOTS, RingReader, sweep_rings

_TICK_S = 0.5
_SWEEP_S = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a capture process may take, in the daemon's eyes; then it is killed and started again.

    Attributes:
        first_frame_s: from its start to its first frame; longer than its own `open_timeout_ms`.
        stall_s: without a new frame; longer than its own `read_timeout_ms`.
        denied_s: shortest wait after a camera refused its password.
    """

    first_frame_s: float = 30.0
    stall_s: float = 15.0
    denied_s: float = 300.0
    open_timeout_ms: int = 15_000
    read_timeout_ms: int = 8_000


class WatchedCamera:
    """One camera: its process, its ring and what is known of its state. Not safe by itself."""

    def __init__(
        self,
        config: CameraConfig,
        *,
        fps: float,
        limits: Limits,
        log: Path,
        patience: Patience,
        backoff: Backoff,
    ) -> None:
        """Nothing is started yet."""
        self.config = config
        self.problem = ""
        self._order = CaptureOrder(
            config, fps, RING_SLOTS, patience.open_timeout_ms, patience.read_timeout_ms
        )
        self._limits = limits
        self._log = log
        self._patience = patience
        self._backoff = backoff
        self._watch = CameraWatch()
        self._child: CaptureChild | None = None
        self._reader: RingReader | None = None
        self._written = 0
        self._started_s = 0.0
        self._moved_s = 0.0
        self._start_again_s: float | None = 0.0

    @property
    def pid(self) -> int | None:
        """Of the capture process, while there is one."""
        return None if self._child is None else self._child.pid

    def maintain(self) -> None:
        """Start what should run, kill what hangs; then observe."""
        now_s = time.monotonic()
        if self._child is None and self._start_again_s is not None and now_s >= self._start_again_s:
            self._child = CaptureChild(self._order, self._log)
            self._started_s = self._moved_s = now_s
            self._watch = self._watch.after(Started())
        self.observe()
        if self._child is None:
            return
        waited_s = now_s - self._moved_s
        allowed_s = self._patience.first_frame_s if self._reader is None else self._patience.stall_s
        if waited_s > allowed_s:
            self._gone(
                f"camera {self.config.name} gave no frame for {waited_s:.0f} s.", allowed_s, again_s=0.0
            )

    def observe(self) -> None:
        """Take in what happened since the last time: a new frame, or the end of the process."""
        if self._child is None:
            return
        code = self._child.exit_code()
        self._look()
        if code is None:
            return
        problem = self._child.problem or f"camera {self.config.name}: its process ended with code {code}."
        if code == EXIT_ENDED and self._child.problem:
            self._gone(problem, 0.0, again_s=None)
        else:
            ran_s = time.monotonic() - self._started_s
            self._gone(problem, ran_s, again_s=self._patience.denied_s if code == EXIT_DENIED else 0.0)

    def report(self, now: float) -> CameraReport:
        """State and age at `now` (POSIX seconds)."""
        state = self._watch.state(now, self._limits)
        return CameraReport(self.config.name, self.config.room, state, self._watch.age_ms(now))

    def window(self) -> WindowSource | None:
        """Where its frames are; None: it has none now."""
        if self._child is None or self._reader is None:
            return None
        return WindowSource(self.config.name, self.config.room, self._child.ring)

    def abandon(self, problem: str) -> None:
        """End this run of the process, for a reason in words; it is started again later."""
        self._gone(problem, 0.0, again_s=0.0)

    def hurry(self) -> None:
        """Ask the process to end, and do not wait."""
        if self._child is not None:
            self._child.hurry()

    def close(self, grace_s: float = GRACE_S) -> None:
        """End the process and remove its ring. Twice is fine."""
        self._close_reader()
        if self._child is not None:
            self._child.close(grace_s)
            self._child = None

    def _look(self) -> None:
        if self._reader is None:
            if self._child is None or not self._child.ring:
                return
            try:
                self._reader = RingReader(self._child.ring)
            except CameraError as error:
                _log.warning("%s", error)
                return
        if self._reader.written == self._written:
            return
        try:
            window = self._reader.window(1, self._order.fps)
        except CameraError as error:
            _log.debug("camera %s: %s", self.config.name, error)
            return  # torn just now; the next look sees the next frame
        self._written = self._reader.written
        self._moved_s = time.monotonic()
        self.problem = ""
        self._watch = self._watch.after(Seen(window.newest_at, look_at(window.clip.frames[-1])))

    def _gone(self, problem: str, ran_s: float, *, again_s: float | None) -> None:
        """The process ended or is ended now; `again_s`: shortest wait, None: it is not started again."""
        self.close(grace_s=0.0)  # it had its time; questions about other cameras wait for this
        self.problem = problem
        self._watch = self._watch.after(Ended())
        wait_s = None if again_s is None else max(again_s, self._backoff.failed(ran_s))
        self._start_again_s = None if wait_s is None else time.monotonic() + wait_s
        _log.warning("%s Next start: %s", problem, "never" if wait_s is None else f"in {wait_s:.1f} s")

    def _close_reader(self) -> None:
        self._written = 0
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Cameras:
    """Watches every camera from a thread of its own. Safe from any thread."""

    def __init__(
        self,
        logs: Path,
        *,
        patience: Patience | None = None,
        new_backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        """Nothing is started yet; see `configure` and `start`."""
        self._logs = logs
        self._patience = patience or Patience()
        self._new_backoff = new_backoff
        self._cameras: dict[str, WatchedCamera] = {}
        self._settings: tuple[float, Limits] | None = None
        self._lock = threading.Lock()
        self._end_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pvchat-cameras", daemon=True)

    def configure(self, cameras: Sequence[CameraConfig], *, fps: float, limits: Limits) -> None:
        """Watch these cameras from now on; those that stay the same keep running."""
        with self._lock:
            same_settings = self._settings == (fps, limits)
            self._settings = (fps, limits)
            wanted = {config.name: config for config in cameras}
            for name, camera in list(self._cameras.items()):
                if not same_settings or wanted.get(name) != camera.config:
                    camera.close(grace_s=0.0)
                    del self._cameras[name]
            kept = self._cameras
            self._cameras = {
                name: kept[name]
                if name in kept
                else WatchedCamera(
                    config,
                    fps=fps,
                    limits=limits,
                    log=self._logs / "capture.log",
                    patience=self._patience,
                    backoff=self._new_backoff(),
                )
                for name, config in wanted.items()
            }

    def start(self) -> None:
        """Start the thread; rings that an earlier daemon left are swept."""
        self._thread.start()

    def hurry(self) -> None:
        """Begin to stop, and do not wait."""
        if not self._stopping.is_set():
            self._end_s = time.monotonic() + GRACE_S
        self._stopping.set()
        with self._lock:
            for camera in self._cameras.values():
                camera.hurry()

    def stop(self) -> None:
        """End all processes and remove all rings."""
        self.hurry()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            for camera in self._cameras.values():
                camera.close(max(0.0, self._end_s - time.monotonic()))

    def reports(self, now: float | None = None) -> tuple[CameraReport, ...]:
        """Every camera as it is at `now` (POSIX seconds; None: this moment), in the settings' order."""
        with self._lock:
            for camera in self._cameras.values():
                camera.observe()
            at = time.time() if now is None else now
            return tuple(camera.report(at) for camera in self._cameras.values())

    def window(self, name: str) -> WindowSource | None:
        """Where the frames of one camera are; None: it has none now."""
        with self._lock:
            camera = self._cameras.get(name)
            return None if camera is None else camera.window()

    def problems(self) -> list[str]:
        """What is wrong with cameras, a line each."""
        with self._lock:
            return [camera.problem for camera in self._cameras.values() if camera.problem]

    def pids(self) -> dict[str, int | None]:
        """Process of each camera."""
        with self._lock:
            return {name: camera.pid for name, camera in self._cameras.items()}

    def _run(self) -> None:
        swept_s = float("-inf")
        while not self._stopping.wait(_TICK_S if swept_s > 0 else 0.0):
            if time.monotonic() - swept_s > _SWEEP_S:
                swept_s = time.monotonic()
                if removed := sweep_rings():
                    _log.info("removed %d rings of dead writers", removed)
            with self._lock:
                cameras = list(self._cameras.values())
            for camera in cameras:
                with self._lock:
                    if self._cameras.get(camera.config.name) is camera and not self._stopping.is_set():
                        _maintain(camera)


def _maintain(camera: WatchedCamera) -> None:
    try:
        camera.maintain()
    except Exception as error:  # noqa: BLE001 - one camera's trouble must not blind the others
        where = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s at camera %s\n%s", type(error).__name__, camera.config.name, where)
        camera.abandon(f"camera {camera.config.name}: internal error ({type(error).__name__}).")
