"""One runtime process, seen from the daemon: start, call, stop. Knows no restarts, cameras or store."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from device.daemon.capture_child import SOURCE_ROOT
from runtime.client import Client, wait_until_ready
from runtime.contract.errors import UnavailableError
from runtime.logs import LogFormat
from runtime.wire import Ready, Reply, Request

RuntimeCommand = Callable[[Path, str], list[str]]
"""The command that serves a bundle (a directory) at an endpoint until its standard input ends."""
_ALIVE_POLL_S = 0.1
_ENDING_S = 2.0
_MAX_WORDS = 500
GRACE_S = 1.5


class RuntimeGoneError(Exception):
    """The runtime died while it was answering. Never leaves the daemon: the call is made to the next one."""


def serve_command(models: Path, engines: Path, log_format: LogFormat = "text") -> RuntimeCommand:
    """The real runtime, which finds models of others and TensorRT plans in these folders."""
    program = [sys.executable, "-m", "runtime", "--log-format", log_format]
    found = ["--models", str(models), "--engines", str(engines)]
    serve = [*program, "serve", "--until-stdin-ends", *found]
    return lambda bundle, endpoint: [*serve, "--bundle", str(bundle), "--socket", endpoint]


class RuntimeChild:
    """Starts at once. `call` is safe from any thread.

    Attributes:
        bundle: the directory that it serves.
        socket: the file of its endpoint.
        calls: requests under way; kept by its keeper.
    """

    def __init__(self, bundle: Path, socket: Path, command: RuntimeCommand, log: Path) -> None:
        """Start it; see `wait_until_ready`.

        Args:
            log: where what it says is appended.
        """
        self.bundle = bundle
        self.socket = socket
        self.calls = 0
        self._open_calls = 0
        self._stopped = False
        self._lock = threading.Lock()
        self._log = log
        self._client = Client(f"ipc://{socket}", next_step="See `pvchat-edge status`.")
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._log_from = os.fstat(descriptor).st_size
        try:
            self._process = subprocess.Popen(
                command(bundle, self._client.endpoint),
                stdin=subprocess.PIPE,  # closes when the daemon dies, however it dies
                stdout=descriptor,
                stderr=descriptor,
                cwd=SOURCE_ROOT,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def wait_until_ready(self, timeout_ms: int) -> Ready:
        """What it has loaded.

        Raises:
            UnavailableError: it ended (see `hurry`), with the last line of its log, or is not ready in time.
        """
        try:
            return wait_until_ready(self._client, timeout_ms, self.alive)
        except UnavailableError as error:
            if self.alive() or not (said := self._last_words()):
                raise
            raise UnavailableError(
                f"the runtime ended while starting: {said}", "`pvchat-edge doctor` checks the bundle."
            ) from error

    def call(self, request: Request, timeout_ms: int) -> Reply:
        """Like `Client.call`, but notices at once when the process dies.

        Raises:
            RuntimeGoneError: it died before it answered.
            PvchatError: whatever it raised.
        """
        results: queue.SimpleQueue[Reply | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                results.put(self._client.call(request, timeout_ms))
            except Exception as error:  # noqa: BLE001 - handed to the caller's thread
                results.put(error)
            finally:
                self._count(-1)

        self._count(1)
        threading.Thread(target=work, name="pvchat-call", daemon=True).start()
        while True:
            try:
                result = results.get(timeout=_ALIVE_POLL_S)
                break
            except queue.Empty:
                if not self.alive():
                    raise RuntimeGoneError from None
        if isinstance(result, UnavailableError) and self._has_ended(result):
            raise RuntimeGoneError from result
        if isinstance(result, Exception):
            raise result
        return result

    def kill(self) -> None:
        """End it at once; whoever calls it is told that it is gone."""
        self._process.kill()

    def hurry(self) -> None:
        """Ask it to end, and do not wait."""
        if self.alive():
            self._process.terminate()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Ask it to end, then kill it, and remove its socket. Twice is fine.

        Args:
            grace_s: how long it may take to end by itself.
        """
        self.hurry()
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.socket.unlink(missing_ok=True)
        self.socket.with_name(f"{self.socket.name}.lock").unlink(missing_ok=True)
        self._stopped = True
        self._count(0)

    def _last_words(self) -> str:
        """The last line that this process has logged; empty when it said nothing."""
        with self._log.open("rb") as log:
            log.seek(self._log_from)
            lines = log.read().decode("utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip()[:_MAX_WORDS] if lines else ""

    def _has_ended(self, error: UnavailableError) -> bool:
        """Whether the process is why; one that was killed stops listening a little before it has ended."""
        if isinstance(error.__cause__, OSError):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_S)
        return not self.alive()

    def _count(self, change: int) -> None:
        """Count calls in threads; after `stop` the last one closes the client that they share."""
        with self._lock:
            self._open_calls += change
            if self._stopped and self._open_calls == 0:
                self._client.close()
