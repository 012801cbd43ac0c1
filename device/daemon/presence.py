"""Who is on which camera just now, and who was last seen where: all live ones are looked at, again and again.

A look asks the runtime who is there, which takes its vision and its bridge and never the language model. It
also keeps the runtime's memory of every stream fresh, so that a question finds all but the newest frames
encoded. Questions come first: while one is being answered nobody looks. What was seen is kept in memory
alone, and of nobody who is not installed any more.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable

from device.daemon.cameras import Cameras
from device.daemon.last_seen import Memory
from device.daemon.runtime_child import RuntimeChild, RuntimeGoneError
from device.daemon.runtime_keeper import RuntimeKeeper
from runtime.contract.dialogue import Answer, Intent, LastSeen, Look
from runtime.contract.errors import PvchatError
from runtime.contract.serving import WindowSource
from runtime.wire import AnswerReply, Ask

_LOOK_MS = 5_000
_WHO = Intent("who")
_log = logging.getLogger(__name__)


class Presence:
    """Looks from a thread of its own; `latest` and `last_seen` are safe from any thread."""

    def __init__(self, cameras: Cameras, keeper: RuntimeKeeper, every_ms: Callable[[], int]) -> None:
        """Nothing is looked at yet.

        Args:
            every_ms: time from the beginning of one round of all cameras to that of the next.
        """
        self._cameras, self._keeper, self._every_ms = cameras, keeper, every_ms
        self._latest: dict[str, Look] = {}
        self._memory = Memory()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pvchat-presence", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hurry(self) -> None:
        """Begin to stop, and do not wait."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop; a look that is under way ends with the runtime, so stop that one too."""
        self.hurry()
        if self._thread.is_alive():
            self._thread.join()

    def latest(self) -> dict[str, Look]:
        """By camera; of cameras that are not live, or nobody can look at, nothing."""
        with self._lock:
            return dict(self._latest)

    def last_seen(self) -> tuple[LastSeen, ...]:
        """Of everybody who is installed and was seen; see `Memory.told`."""
        with self._lock:
            self._forget_others()
            return self._memory.told()

    def _forget_others(self) -> None:
        installed = self._keeper.current()
        if installed is not None:  # while a runtime starts again nobody was forgotten
            self._memory.keep_only(installed.releases)

    def look(self) -> None:
        """One round of all cameras."""
        live = [report.camera for report in self._cameras.reports() if report.state == "live"]
        for camera in live:
            if self._stopping.is_set() or self._is_asked():
                return
            self._keep(camera, self._seen(camera))
        with self._lock:
            self._latest = {camera: seen for camera, seen in self._latest.items() if camera in live}
            self._forget_others()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            began_s, every_s = time.monotonic(), self._every_ms() / 1000
            self._look_and_tell()
            # At least as long again is left to everybody else: a box that is too slow looks less often.
            spent_s = time.monotonic() - began_s
            wait_s = max(every_s - spent_s, min(every_s, spent_s))

    def _look_and_tell(self) -> None:
        try:
            self.look()
        except Exception as error:  # noqa: BLE001 - one round's trouble must not end the watch
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s while looking at the cameras\n%s", type(error).__name__, where)
            with self._lock:
                self._latest.clear()

    def _is_asked(self) -> bool:
        installed = self._keeper.current()
        return installed is None or installed.child.calls > 0

    def _seen(self, camera: str) -> Look | None:
        window = self._cameras.window(camera)
        if window is None:
            return None
        try:
            with self._keeper.lease(0.0) as installed:
                if not installed.releases:
                    return None
                return _told(window, _ask(installed.child, Ask(intent=_WHO, window=window)))
        except RuntimeGoneError:
            _log.debug("the runtime ended during a look")
        except PvchatError as error:
            _log.debug("camera %s: %s", camera, error)
        return None

    def _keep(self, camera: str, seen: Look | None) -> None:
        with self._lock:
            if seen is None:
                self._latest.pop(camera, None)
            else:
                self._latest[camera] = seen
                self._memory.note(seen)


def _ask(child: RuntimeChild, request: Ask) -> Answer | None:
    reply = child.call(request, _LOOK_MS)
    return reply.answer if isinstance(reply, AnswerReply) else None


def _told(window: WindowSource, answer: Answer | None) -> Look | None:
    if answer is None or answer.as_of is None:
        return None
    there = tuple(one for one in answer.subjects if one.verdict in ("yes", "unsure"))
    return Look(window.camera, window.room, answer.as_of, there, answer.unknown_people)
