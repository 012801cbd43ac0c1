"""The demo's home: a short temporary folder, its settings, the daemon, and two cameras that play files.

Knows no questions. A camera opens its file anew at every turn of its loop, so a scene is changed by putting
another file in its place: the daemon runs on and sees people come and go.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from runtime.contract.errors import PvchatError, UnavailableError
from train.demo.casting import SCENE_S
from train.demo.children import Children, child_environment, end_process
from train.demo.story import ROOM_NAMES

WINDOW_S = 2.0
_SETTLE_S = WINDOW_S + 1.0
_LIVE_TIMEOUT_S = 90.0
_STOP_S = 20.0
_IDLE_EXIT_S = 120


@contextlib.contextmanager
def temporary_home(keep: bool) -> Iterator[Path]:
    """A folder with a path short enough for sockets; afterwards every process that used it is ended."""
    home = Path(tempfile.mkdtemp(prefix="pvc-", dir="/tmp"))
    try:
        yield home
    finally:
        end_processes_of(home)
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


def settings(cameras: Mapping[str, Path]) -> str:
    """The text of `config/device.toml`.

    Args:
        cameras: the file that each kind of room shows.
    """
    lines = [f"rooms = {json.dumps([ROOM_NAMES[room] for room in cameras])}"]
    for room, path in cameras.items():
        lines += ["", "[[cameras]]", f"name = {json.dumps(room)}", f"room = {json.dumps(ROOM_NAMES[room])}"]
        lines += ['kind = "replay"', f"path = {json.dumps(str(path))}"]
    lines += ["", "[limits]", f"runtime_idle_exit_s = {_IDLE_EXIT_S}"]
    return "\n".join(lines) + "\n"


class Cameras:
    """The files that the replay cameras play."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.files = {room: folder / f"{room}.mp4" for room in ROOM_NAMES}
        self._clear_at_s = 0.0

    def show(self, videos: Mapping[str, Path]) -> None:
        """Put other files in place; each camera turns to its own at the end of its loop."""
        for room, video in videos.items():
            new = self.files[room].with_suffix(".new")
            shutil.copyfile(video, new)
            new.replace(self.files[room])
        self._clear_at_s = time.monotonic() + SCENE_S + _SETTLE_S

    def started(self) -> None:
        """The daemon has just begun to play what is there."""
        self._clear_at_s = time.monotonic() + _SETTLE_S

    def wait(self) -> None:
        """Until only the new files can be in the newest window."""
        time.sleep(max(0.0, self._clear_at_s - time.monotonic()))


@contextlib.contextmanager
def daemon(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`pvchat-edge daemon` in the background, ended afterwards."""
    log = home / "logs" / "daemon-output.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "device.cli.main", "daemon"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=child_environment(home),
        )
    try:
        yield child
    finally:
        end_process(child, _STOP_S)


def wait_until_live(children: Children, child: subprocess.Popen[bytes], home: Path, people: int) -> None:
    """Until the daemon has its runtime, its people, and a live picture of every camera.

    Raises:
        UnavailableError: it ended, or is not there in time.
    """
    until_s = time.monotonic() + _LIVE_TIMEOUT_S
    state = "it has not answered yet"
    while time.monotonic() < until_s:
        if child.poll() is not None:
            raise UnavailableError("the daemon ended.", _log_end(home))
        found = children.cli("status", accept=None).data.get("daemon")
        if found is not None:
            live = [one["state"] == "live" for one in found["cameras"]]
            if found["runtime"] == "ready" and len(found["subjects"]) == people and live and all(live):
                return
            cameras = ", ".join(f"{one['camera']} {one['state']}" for one in found["cameras"])
            state = f"runtime {found['runtime']}, {len(found['subjects'])} people, {cameras}"
            state += "".join(f"; {note}" for note in found["notes"])
        time.sleep(0.3)
    raise UnavailableError(f"the daemon is not ready after {_LIVE_TIMEOUT_S:.0f} s: {state}.", _log_end(home))


def _log_end(home: Path) -> str:
    lines: list[str] = []
    for name in ("daemon-output.log", "runtime.log"):
        path = home / "logs" / name
        if path.is_file():
            lines += path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-4:]
    return "It said last:\n  " + "\n  ".join(lines) if lines else "It said nothing."


def end_processes_of(home: Path) -> None:
    """End every process whose PVCHAT_HOME is this folder: a runtime outlives the command that started it.

    Raises:
        PvchatError: one does not end.
    """
    until_s = time.monotonic() + _STOP_S
    while found := _processes_of(home):
        late = time.monotonic() > until_s
        if time.monotonic() > until_s + _STOP_S:
            raise PvchatError(f"processes {found} of the demo do not end.", "End them by hand.")
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.2)


def _processes_of(home: Path) -> list[int]:
    wanted = f"PVCHAT_HOME={home}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # gone, or somebody else's
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
