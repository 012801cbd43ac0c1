"""A home for daemon tests: real clips, real capture processes, a runtime process that follows a script."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from device.daemon.backoff import Backoff
from device.daemon.cameras import Patience
from device.daemon.heartbeat import Rhythm
from device.daemon.runtime_child import RuntimeCommand
from device.daemon.service import Daemon
from device.paths import Home
from device.store.records import Consent, NewAdapter
from device.store.store import Store
from runtime.client import Client
from runtime.contract.bundle import Manifest, manifest_to_json
from runtime.contract.calibration import Calibration
from runtime.contract.dialogue import Answer, CameraState
from runtime.contract.household import Subject
from runtime.contract.pixels import PixelSpec
from runtime.wire import AnswerReply, DaemonAsk, DaemonReload, DaemonStatus, DaemonStatusReply, Hello, Ready

ROOT = Path(__file__).parents[2]
BASE = "b" * 64
GRANDMA, TOM = "s" + "a" * 32, "s" + "b" * 32
PATIENCE = Patience(
    first_frame_s=30.0, stall_s=5.0, denied_s=5.0, open_timeout_ms=10_000, read_timeout_ms=4000
)


def write_clip(
    path: Path, *, seconds: float = 4.0, fps: int = 8, size: tuple[int, int] = (96, 64), contrast: float = 1.0
) -> Path:
    """A real mp4 with a textured, noisy picture: nothing in it is uniform, and no two frames are equal.

    With a contrast of 0 it is black.
    """
    width, height = size
    random = np.random.default_rng(7)
    scene = np.kron(random.integers(30, 220, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps, width=width, height=height, pix_fmt="yuv420p")
        stream.bit_rate = 2_000_000
        for _ in range(round(seconds * fps)):
            noisy = np.clip(contrast * (scene + random.normal(0, 8, scene.shape)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def quick_backoff() -> Backoff:
    """Waits that a test can wait for."""
    return Backoff(first_s=0.2, longest_s=1.0, jitter=lambda: 0.0)


def runtime_command(bundle: Path, endpoint: str) -> list[str]:
    """The scripted runtime, as a process."""
    script = ROOT / "tests" / "device" / "scripted_runtime.py"
    return [sys.executable, str(script), str(bundle), endpoint]


class World:
    """One home under a short path, and its daemon in a thread."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "h").create()
        self.clip = write_clip(root / "clip.mp4")
        self.daemon: Daemon | None = None
        self._thread: threading.Thread | None = None
        self.put_bundle("one")
        self.say({})

    def configure(self, cameras: Mapping[str, str], rooms: tuple[str, ...], **limits: int) -> None:
        """Write the settings: camera name to room; every camera replays the clip in a loop.

        Unless a test says otherwise nobody looks at the cameras: the script is for the test's own questions.
        """
        limits = {"watch_every_ms": 10**9, **limits}
        lines = [f"rooms = {json.dumps(list(rooms))}"]
        for name, room in cameras.items():
            lines += ["[[cameras]]", f'name = "{name}"', f'room = "{room}"', 'kind = "replay"']
            lines += [f'path = "{self.clip}"']
        lines += ["[limits]", *[f"{key} = {value}" for key, value in limits.items()]]
        self.home.config_file.write_text("\n".join(lines), encoding="utf-8")

    def put_bundle(self, mark: str) -> str:
        """Install a bundle without engines and make it the current one."""
        raw = manifest_to_json(
            Manifest("base", BASE, (), {}, {}, PixelSpec(), Calibration(accept=0.9), made_by={"mark": mark})
        )
        bundle_id = hashlib.sha256(raw).hexdigest()[:16]
        folder = self.home.bundles / bundle_id
        folder.mkdir()
        (folder / "manifest.json").write_bytes(raw)
        (self.home.bundles / "current").write_text(bundle_id, encoding="ascii")
        return bundle_id

    def say(self, script: Mapping[str, Any]) -> None:
        """What the runtime says per camera; see `scripted_runtime`."""
        new = self.home.bundles / "script.next"
        new.write_text(json.dumps(script), encoding="utf-8")
        new.replace(self.home.bundles / "script.json")

    def enrol(self, subject_id: str, name: str, release: int = 1) -> None:
        """Somebody with an adapter file that the scripted runtime takes."""
        with Store.open(self.home) as store:
            adapter = NewAdapter(f"adapter of {subject_id}".encode(), release, "instant", BASE)
            store.add_subject(Subject(subject_id, name), Consent(name, time.time()), adapter)

    def start(self, command: RuntimeCommand = runtime_command, rhythm: Rhythm | None = None) -> None:
        """Run the daemon in a thread; see `Daemon`."""
        self.daemon = Daemon(
            self.home, command=command, patience=PATIENCE, new_backoff=quick_backoff, rhythm=rhythm
        )
        self._thread = threading.Thread(target=self.daemon.run)
        self._thread.start()
        wait_for(lambda: self.home.socket_path("daemon").exists())

    def capture_pid(self, camera: str) -> int:
        """Of the capture process of a camera that has one."""
        assert self.daemon is not None
        pid = self.daemon.capture_pids()[camera]
        assert pid is not None
        return pid

    def stop(self) -> None:
        """Stop the daemon and wait for it."""
        if self.daemon is not None and self._thread is not None:
            self.daemon.stop()
            self._thread.join()
            self.daemon = None

    def ask(self, text: str, timeout_ms: int = 15_000) -> Answer:
        """Through the real socket."""
        with Client(self.home.daemon_endpoint) as client:
            reply = client.call(DaemonAsk(text=text), timeout_ms)
        assert isinstance(reply, AnswerReply)
        return reply.answer

    def reload(self) -> None:
        """Through the real socket."""
        with Client(self.home.daemon_endpoint) as client:
            client.call(DaemonReload(), 20_000)

    def status(self) -> DaemonStatusReply:
        """Through the real socket."""
        with Client(self.home.daemon_endpoint) as client:
            reply = client.call(DaemonStatus(), 5_000)
        assert isinstance(reply, DaemonStatusReply)
        return reply

    def runtime_pid(self) -> int:
        """Of the process behind the runtime's well-known address."""
        with Client(self.home.runtime_endpoint) as client:
            reply = client.call(Hello(), 5_000)
        assert isinstance(reply, Ready)
        return reply.pid

    def states(self) -> dict[str, CameraState]:
        """Of every camera."""
        return {camera.camera: camera.state for camera in self.status().cameras}

    def wait_until_live(self) -> None:
        """Every camera live and the runtime ready."""
        wait_for(lambda: set(self.states().values()) == {"live"} and self.status().runtime == "ready")


@contextmanager
def short_world(cameras: Mapping[str, str], rooms: tuple[str, ...], **limits: int) -> Iterator[World]:
    """A home with cameras and a bundle, nobody in it and nothing running."""
    root = Path(tempfile.mkdtemp(prefix="pvc", dir="/tmp"))
    made = World(root)
    made.configure(cameras, rooms, **limits)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(root)


@contextmanager
def world(cameras: Mapping[str, str], rooms: tuple[str, ...], **limits: int) -> Iterator[World]:
    """A running daemon with Grandma and Tom enrolled; every camera is live and the runtime ready."""
    with short_world(cameras, rooms, **limits) as made:
        made.enrol(GRANDMA, "Grandma")
        made.enrol(TOM, "Tom")
        made.start()
        made.wait_until_live()
        yield made


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until something is so; fails the test when it never is."""
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, "it did not happen in time"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def children_of(pid: int) -> list[int]:
    """Processes that a process has started and that still run."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(one) for task in tasks for one in task.read_text(encoding="ascii").split()]


def own_rings() -> set[str]:
    """Camera rings of this user in shared memory, but for those that pytest's other workers have just now."""
    before = _rings()
    others = _rings_of_other_workers()
    return (before & _rings()) - others


def _rings() -> set[str]:
    found = Path("/dev/shm").glob("pvc_*")  # noqa: S108 - rings live there
    return {path.name for path in found if path.stat().st_uid == os.geteuid()}


def _rings_of_other_workers() -> set[str]:
    """Rings that processes of other workers have mapped; one that no live process has is never theirs."""
    me, found = psutil.Process(), set()
    for sibling in psutil.Process(me.ppid()).children():
        if sibling.pid == me.pid:
            continue
        with contextlib.suppress(psutil.Error):
            for process in (sibling, *sibling.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    found |= {Path(one.path).name for one in process.memory_maps() if "/pvc_" in one.path}
    return found
