"""Child processes: the product's command line and the workshop's modules. Knows no story and no scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import train
from runtime.contract.errors import PvchatError

_KEPT_LINES = 12
_KEPT_BYTES = 8192
_GRACE_S = 20.0
_CLI_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command came to.

    Attributes:
        data: the JSON object on its stdout (the last line of it).
        code: its exit code.
        wall_ms: from its start to its end.
    """

    data: dict[str, Any]
    code: int
    wall_ms: float


def end_process(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask a process to end, and kill it where it has not in time. Twice is fine."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Running:
    """A command under way; `wait` gives its reply."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], *, loud: bool) -> None:
        """Start it. Loud: what it says on stderr goes on to ours."""
        self.name = _readable(command)
        self._began_s = time.monotonic()
        self._told = b""
        self._said = b""
        self._loud = loud
        self._child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._threads = [
            threading.Thread(target=self._listen, args=(self._child.stderr,), daemon=True),
            threading.Thread(target=self._collect, args=(self._child.stdout,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.poll() is None

    def wait(self, timeout_s: float, *, accept: Sequence[int] | None = (0,)) -> Reply:
        """Its reply.

        Args:
            accept: exit codes that are no failure; None: all.

        Raises:
            PvchatError: it failed, said nothing that can be read, or took too long.
        """
        try:
            code = self._child.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            self.end()
            raise PvchatError(
                f"`{self.name}` took longer than {timeout_s:.0f} s.", self._told_last()
            ) from error
        wall_ms = (time.monotonic() - self._began_s) * 1000
        for thread in self._threads:
            thread.join(_GRACE_S)
        data = last_object(self._said.decode("utf-8", "replace"))
        if (accept is not None and code not in accept) or data is None:
            said = (data or {}).get("error")
            hint = f"{said['message']} {said['next_step']}" if isinstance(said, dict) else ""
            raise PvchatError(
                f"`{self.name}` ended with exit code {code}.", hint.strip() or self._told_last()
            )
        return Reply(data, code, wall_ms)

    def end(self) -> None:
        """End it, the hard way if it does not listen. Twice is fine."""
        end_process(self._child, _GRACE_S)

    def _listen(self, stream: IO[bytes] | None) -> None:
        """Pass on what comes as it comes: a progress bar is drawn within its line."""
        if stream is None:
            return
        with stream:
            while chunk := os.read(stream.fileno(), 4096):
                self._told = (self._told + chunk)[-_KEPT_BYTES:]
                if self._loud:
                    sys.stderr.write(chunk.decode("utf-8", "replace"))
                    sys.stderr.flush()

    def _collect(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        with stream:
            self._said = stream.read()

    def _told_last(self) -> str:
        lines = self._told.decode("utf-8", "replace").replace("\r", "\n").split("\n")
        last = [line.rstrip() for line in lines if line.strip()][-_KEPT_LINES:]
        return "It said last:\n  " + "\n  ".join(last) if last else "It said nothing."


class Children:
    """Starts children for one home; whatever still runs when the `with` block is left is ended.

    Args:
        home: becomes PVCHAT_HOME of every child.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: list[Running] = []

    def cli(self, *words: str, accept: Sequence[int] | None = (0,)) -> Reply:
        """One command of `pvchat-edge`, with --json."""
        return self.start(*words).wait(_CLI_TIMEOUT_S, accept=accept)

    def start(self, *words: str) -> Running:
        """The same, without waiting."""
        return self._start(["device.cli.main", *words, "--json"], loud=False)

    def module(self, name: str, *words: str, timeout_s: float) -> Reply:
        """One of the workshop's modules; its progress is shown."""
        return self._start([name, *words], loud=True).wait(timeout_s)

    def _start(self, words: Sequence[str], *, loud: bool) -> Running:
        self._running = [one for one in self._running if one.is_running()]
        one = Running([sys.executable, "-m", *words], child_environment(self._home), loud=loud)
        self._running.append(one)
        return one

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._running:
            one.end()


def child_environment(home: Path) -> dict[str, str]:
    """Ours, with the demo's home, and with this very source tree first."""
    packages = str(Path(str(train.__file__)).parent.parent)
    before = os.environ.get("PYTHONPATH")
    path = f"{packages}{os.pathsep}{before}" if before else packages
    return {**os.environ, "PVCHAT_HOME": str(home), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _readable(command: Sequence[str]) -> str:
    """A command line as a user would type it."""
    words = list(command[1:])
    if words[:2] == ["-m", "device.cli.main"]:
        words = ["pvchat-edge", *(word for word in words[2:] if word != "--json")]
    else:
        words = ["python", *words]
    return " ".join(f"'{word}'" if " " in word else word for word in words)


def last_object(said: str) -> dict[str, Any] | None:
    """The JSON object on the last line, or None."""
    lines = said.strip().splitlines()
    if not lines:
        return None
    try:
        data = json.loads(lines[-1])
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
