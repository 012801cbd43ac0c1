"""One run of a capture process, seen from the daemon. Knows no states, no restarts and no models."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import device
from device.daemon.capture import CaptureOrder

SOURCE_ROOT = Path(str(device.__file__)).parent.parent
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - POSIX shared memory lives here
_RING = re.compile(r"^pvc_[0-9a-f]{16}$")
GRACE_S = 1.5


class CaptureChild:
    """Starts at once; `close` ends it, whatever it is doing, and leaves nothing behind.

    Attributes:
        ring: name of its shared-memory ring; empty until frames flow.
        problem: why it gave up, in words for the user; empty while it has not.
    """

    def __init__(self, order: CaptureOrder, log: Path) -> None:
        """Start it.

        Args:
            log: where its standard error is appended.
        """
        self.ring = ""
        self.problem = ""
        self._unread = b""
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "device.daemon.capture"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=SOURCE_ROOT,
                start_new_session=True,
            )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a pipe was asked for and not given")
        self._orders, self._reports = self._process.stdin, self._process.stdout
        os.set_blocking(self._reports.fileno(), False)
        try:
            self._orders.write(order.to_line())
            self._orders.flush()
        except BrokenPipeError:
            self.problem = f"camera {order.camera.name}: its process did not start."

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs. Reads what it has reported so far."""
        code = self._process.poll()
        self._read()
        return code

    def hurry(self) -> None:
        """Ask it to end, and do not wait."""
        if self._process.poll() is None:
            self._process.terminate()

    def close(self, grace_s: float = GRACE_S) -> None:
        """Ask it to end, then kill it, then remove the ring that a killed one left. Twice is fine.

        Args:
            grace_s: how long it may take to end by itself.
        """
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):  # a driver may hold it even now
                    self._process.wait(GRACE_S)
        if not self._reports.closed:
            self._read()
            self._reports.close()
            try:
                self._orders.close()
            except BrokenPipeError:
                self.problem = self.problem or "its process did not start."
        if _RING.match(self.ring):
            (_SHARED_MEMORY / self.ring).unlink(missing_ok=True)

    def _read(self) -> None:
        if self._reports.closed:
            return
        try:
            while block := os.read(self._reports.fileno(), 1 << 16):
                self._unread += block
        except BlockingIOError:
            pass  # it has said no more so far
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            report = json.loads(line)
            self.ring = str(report.get("ring", self.ring))
            self.problem = str(report.get("problem", self.problem))
