"""Keeps one runtime alive with the home's bundle and people loaded. Knows no cameras and no questions.

One thread starts, restarts and switches; callers lease the current runtime. A new bundle is started next to
the old one and takes over only when it is ready and everybody is loaded; then the old one ends its calls and
stops.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # another class before Python 3.11
from contextlib import contextmanager
from dataclasses import dataclass

from device.daemon.backoff import Backoff
from device.daemon.door import Door
from device.daemon.heartbeat import Heartbeat, Rhythm
from device.daemon.loading import load_people
from device.daemon.people import NOBODY, People, has_changed, read_people
from device.daemon.runtime_child import (
    GRACE_S,
    RuntimeChild,
    RuntimeCommand,
    RuntimeGoneError,
)
from device.paths import Home
from runtime.contract.bundle import Bundle
from runtime.contract.errors import DeadlineError, PvchatError, UnavailableError
from runtime.wire import Ready

_TICK_S = 0.25
_LOOK_S = 30.0
_DRAIN_S = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installed:
    """A runtime that is ready, and what is loaded in it.

    Attributes:
        people: the snapshot that was loaded.
        releases: of the adapters that it accepted, by subject id.
        notes: why others were not, a line each.
    """

    child: RuntimeChild
    ready: Ready
    people: People
    releases: dict[str, int]
    notes: tuple[str, ...] = ()


class RuntimeKeeper:
    """Safe from any thread, after `start`."""

    def __init__(
        self,
        home: Home,
        *,
        start_timeout_ms: int,
        command: RuntimeCommand,
        backoff: Backoff | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            command: what serves a bundle.
            backoff, rhythm: how fast what failed is started again, how often it is asked; None: as a home
                needs it.
        """
        self._home = home
        self._start_timeout_ms = start_timeout_ms
        self._command = command
        self._backoff = backoff or Backoff(first_s=0.5, longest_s=30.0, healthy_s=60.0)
        self._rhythm = rhythm or Rhythm()
        self._heartbeat: Heartbeat | None = None
        self._changed = threading.Condition()
        self._current: Installed | None = None
        self._children: list[RuntimeChild] = []
        self._reloads: list[Future[None]] = []
        self._problem: PvchatError | None = None
        self._people = NOBODY
        self._started = 0
        self._next_start_s = 0.0
        self._ready_at_s = 0.0
        self._looked_s = time.monotonic()
        self._door = Door(home.runtime_endpoint)
        self._end_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pvchat-runtime", daemon=True)

    def start(self) -> None:
        """Start the thread; it starts the runtime."""
        self._thread.start()

    def hurry(self) -> None:
        """Begin to stop, and do not wait."""
        if not self._stopping.is_set():
            self._end_s = time.monotonic() + GRACE_S
        self._stopping.set()
        with self._changed:
            for child in self._children:
                child.hurry()
            self._changed.notify_all()

    def stop(self) -> None:
        """End the runtime; callers that wait get `UnavailableError`."""
        self.hurry()
        with self._changed:
            children = list(self._children)
        for child in children:
            child.stop(max(0.0, self._end_s - time.monotonic()))
        if self._thread.is_alive():
            self._thread.join()
        with self._changed:
            self._current = None
        self._door.close()

    def people(self) -> People:
        """The store as it was read last, whether a runtime runs or not."""
        with self._changed:
            return self._people

    def current(self) -> Installed | None:
        """What answers now, if anything does."""
        with self._changed:
            return self._current

    def state(self) -> tuple[str, list[str]]:
        """`ready`, `starting` or `down`, and notes."""
        with self._changed:
            restarts = [f"The runtime was started {self._started} times."] if self._started > 1 else []
            if self._current is not None:
                return "ready", [*self._current.notes, *restarts]
            if self._problem is None:
                return "starting", restarts
            return "down", [str(self._problem), *restarts]

    @contextmanager
    def lease(self, left_s: float) -> Iterator[Installed]:
        """The runtime to call; it is not stopped while it is leased (only a death can end it).

        Args:
            left_s: how long to wait for one that is starting.

        Raises:
            UnavailableError: there is none, with the reason.
        """
        until_s = time.monotonic() + left_s
        with self._changed:
            while (installed := self._current) is None or not installed.child.alive():
                wait_s = until_s - time.monotonic()
                if self._stopping.is_set():
                    raise UnavailableError("the daemon is stopping.", "Start it with `pvchat-edge daemon`.")
                if self._problem is not None:
                    raise UnavailableError(self._problem.message, self._problem.next_step)
                if wait_s <= 0:
                    raise DeadlineError("the runtime is still starting.", "Ask again in a moment.")
                self._changed.wait(min(wait_s, _TICK_S))
            installed.child.calls += 1
        try:
            yield installed
        finally:
            with self._changed:
                installed.child.calls -= 1
                self._changed.notify_all()

    def reload(self, left_s: float) -> None:
        """Read store and bundle again and load what changed; returns when it is loaded.

        Raises:
            PvchatError: why it is not; what was loaded before stays, except for people who were removed.
            DeadlineError: it takes longer than `left_s`; it goes on.
        """
        future: Future[None] = Future()
        with self._changed:
            self._reloads.append(future)
            self._changed.notify_all()
        try:
            future.result(max(0.0, left_s))
        except FutureTimeoutError as error:
            raise DeadlineError("reloading takes longer than the caller waits.", "It goes on.") from error

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                reloads, self._reloads = self._reloads, []
            try:
                self._step(reloads=bool(reloads))
            except PvchatError as error:
                _log.warning("runtime: %s", error)
                for future in reloads:
                    future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - a bug in one step must not leave the home unwatched
                _log.error("%s in the keeper\n%s", type(error).__name__, _place(error))
                for future in reloads:
                    future.set_exception(UnavailableError(f"internal error ({type(error).__name__})."))
            else:
                for future in reloads:
                    future.set_result(None)
            self._drain()
            with self._changed:
                if not self._reloads and not self._stopping.is_set():
                    self._changed.wait(_TICK_S)
        for future in self._reloads:
            future.set_exception(UnavailableError("the daemon is stopping."))

    def _step(self, *, reloads: bool) -> None:
        """Whatever is due now: a start, a restart, a reload."""
        current = self._current
        if current is not None:
            self._listen_to(current)
        if current is not None and not current.child.alive():
            self._lost(current)
            current = None
        if current is None:
            if reloads or time.monotonic() >= self._next_start_s:
                self._start_first()
            return
        if not reloads:
            if time.monotonic() - self._looked_s < _LOOK_S:
                return
            self._looked_s = time.monotonic()
            if not has_changed(self._home, self._people):
                return
        self._reload(current)

    def _listen_to(self, current: Installed) -> None:
        """Kill a runtime that hangs."""
        if self._heartbeat is None:
            return
        try:
            trouble = self._heartbeat.trouble()
        except RuntimeGoneError:
            return
        if trouble:
            _log.error("the runtime (pid %d) hangs: %s; it is killed", current.child.pid, trouble)
            current.child.kill()

    def _lost(self, current: Installed) -> None:
        wait_s = self._backoff.failed(time.monotonic() - self._ready_at_s)
        _log.warning("the runtime (pid %d) ended; next start in %.1f s", current.child.pid, wait_s)
        with self._changed:
            self._current = None
            self._next_start_s = time.monotonic() + wait_s

    def _start_first(self) -> None:
        try:
            self._take_over(self._started_child())
        except (PvchatError, OSError) as error:
            with self._changed:
                self._problem = (
                    error
                    if isinstance(error, PvchatError)
                    else UnavailableError(f"the runtime cannot be started: {error.strerror}.")
                )
                self._next_start_s = time.monotonic() + self._backoff.failed(0.0)
                self._changed.notify_all()
            raise self._problem from error

    def _reload(self, current: Installed) -> None:
        bundle = Bundle.open(self._home.current_bundle())
        if bundle.bundle_id != current.ready.bundle_id:
            self._take_over(self._started_child())
            return
        people = self._read_people()
        releases, problems = load_people(current.child, people)
        installed = Installed(
            current.child, current.ready, people, releases, tuple(str(problem) for problem in problems)
        )
        with self._changed:
            self._current = installed
        if problems:
            raise problems[0]

    def _started_child(self) -> Installed:
        """A new runtime with everybody loaded; nobody is sent to it yet.

        Raises:
            PvchatError: there is none; nothing is left behind.
        """
        people = self._read_people()
        bundle = Bundle.open(self._home.current_bundle())
        with self._changed:
            self._started += 1
            socket = self._home.socket_path(f"r{self._started}")
            child = RuntimeChild(bundle.root, socket, self._command, self._home.logs / "runtime.log")
            self._children.append(child)
            if self._stopping.is_set():
                child.hurry()
        try:
            ready = child.wait_until_ready(self._start_timeout_ms)
            releases, problems = load_people(child, people)
        except BaseException:
            self._discard(child)
            raise
        _log.info("runtime ready: pid %d, bundle %s, %d people", child.pid, ready.bundle_id, len(releases))
        return Installed(child, ready, people, releases, tuple(str(problem) for problem in problems))

    def _take_over(self, installed: Installed) -> None:
        """Send everybody to the new one; the old one is drained by `_drain`."""
        with self._changed:
            self._current = installed
            self._problem = None
            self._ready_at_s = time.monotonic()
            self._heartbeat = Heartbeat(installed.child.call, self._rhythm)
            self._changed.notify_all()
        self._door.point_at(installed.child.socket)

    def _drain(self) -> None:
        """Stop children that nobody is sent to any more, once they have ended their calls."""
        overdue = time.monotonic() - self._ready_at_s > _DRAIN_S
        with self._changed:
            keep = None if self._current is None else self._current.child
            old = [
                child
                for child in self._children
                if child is not keep and (overdue or not child.calls or not child.alive())
            ]
        for child in old:
            self._discard(child)

    def _discard(self, child: RuntimeChild) -> None:
        child.stop()
        with self._changed:
            if child in self._children:
                self._children.remove(child)

    def _read_people(self) -> People:
        people = read_people(self._home)
        with self._changed:
            self._people = people
        return people


def _place(error: Exception) -> str:
    """Where it happened, without its message, which may hold private data."""
    return "".join(traceback.format_tb(error.__traceback__))
