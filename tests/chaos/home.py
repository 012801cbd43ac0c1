"""A home to be broken: the shipped bundle, two enrolled people, two cameras, and its daemon as a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.paths import Home
from runtime.client import Client
from runtime.contract.errors import PvchatError
from runtime.wire import DaemonStatus, DaemonStatusReply, Hello, Ready
from train.world.dataset import reference_script
from train.world.files import write_clip
from train.world.household import sample_household
from train.world.sample import sample_script

ROOT = Path(__file__).parents[2]
SEED = 11
READY_S = 300.0
_ROOMS = {"cook": "kitchen", "sofa": "living room"}


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody enrolled.

    Attributes:
        name: as questions have it.
        room: where the only camera that shows this person looks.
        camera: that camera.
        subject_id: in answers.
    """

    name: str
    room: str
    camera: str
    subject_id: str


class BrokenHome:
    """Verbs on a running home."""

    def __init__(self, home: Home, residents: tuple[Resident, ...], process: subprocess.Popen[bytes]) -> None:
        self.home = home
        self.residents = residents
        self.process = process

    def status(self) -> DaemonStatusReply | None:
        """None while the daemon does not say."""
        with Client(self.home.daemon_endpoint) as client:
            try:
                reply = client.call(DaemonStatus(), 5_000)
            except PvchatError:
                return None
        return reply if isinstance(reply, DaemonStatusReply) else None

    def runtime_pid(self) -> int | None:
        """None while none answers."""
        with Client(self.home.runtime_endpoint) as client:
            try:
                reply = client.call(Hello(), 5_000)
            except PvchatError:
                return None
        return reply.pid if isinstance(reply, Ready) else None

    def capture_pids(self) -> list[int]:
        """Capture processes that run, in the order of their pids."""
        return sorted(pid for pid in _children(self.process.pid) if b"device.daemon.capture" in _words(pid))

    def is_whole(self) -> bool:
        """Every camera live, the runtime ready and everybody loaded."""
        status = self.status()
        return (
            status is not None
            and status.runtime == "ready"
            and set(status.subjects) == {one.subject_id for one in self.residents}
            and all(one.state == "live" for one in status.cameras)
            and self.runtime_pid() is not None
            and len(self.capture_pids()) == len(_ROOMS)
        )

    def wait_until_whole(self, timeout_s: float = READY_S) -> float | None:
        """Seconds that it took; None: not in time, or the daemon has ended."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < timeout_s and self.process.poll() is None:
            if self.is_whole():
                return time.monotonic() - began_s
            time.sleep(0.1)
        return None


@contextmanager
def broken_home() -> Iterator[BrokenHome]:
    """The home, whole; afterwards nothing of it is left.

    Raises:
        RuntimeError: it does not come up.
    """
    root = Path(tempfile.mkdtemp(prefix="pvc", dir="/tmp"))
    home = Home(root / "h").create()
    try:
        residents = _furnish(home, root)
        command = [sys.executable, "-m", "tests.chaos.daemon", str(home.root)]
        with subprocess.Popen(command, cwd=ROOT) as process:
            made = BrokenHome(home, residents, process)
            try:
                if made.wait_until_whole() is None:
                    raise RuntimeError(f"the home does not come up: {made.status()}")
                yield made
            finally:
                process.terminate()
                process.wait(60)
    finally:
        shutil.rmtree(root)


def _furnish(home: Home, root: Path) -> tuple[Resident, ...]:
    """Clips, settings and people, by the public command line."""
    world = sample_household(SEED)
    lines = [f"rooms = {list(_ROOMS.values())!r}", "[limits]", "runtime_start_timeout_ms = 120000"]
    clips: list[Path] = []
    for number, (member, (camera, room)) in enumerate(zip(world.members, _ROOMS.items(), strict=False)):
        script = reference_script(world, member)
        write_clip(root, script)
        clips.append(root / f"{script.clip_id}.mp4")
        shown = sample_script(
            np.random.default_rng(5 + number), people=[member.identity], person_ids=[camera],
            actions=["standing"], night=False, foreground=False, hidden=False, head_px=(52.0, 64.0),
            facing_deg=10.0, clip_id=camera,
        )  # fmt: skip
        write_clip(root, shown)
        lines += ["[[cameras]]", f'name = "{camera}"', f'room = "{room}"', 'kind = "replay"']
        lines += [f'path = "{root / camera}.mp4"']
    _run(home, "init")
    home.config_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for member, clip in zip(world.members, clips, strict=False):
        _run(home, "person", "add", member.name, "--clip", str(clip), "--consent-by", member.name)
    return tuple(
        Resident(member.name, room, camera, _subject_of(home, member.name))
        for member, (camera, room) in zip(world.members, _ROOMS.items(), strict=False)
    )


def _run(home: Home, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "device.cli.main", *words],
        env={**os.environ, "PVCHAT_HOME": str(home.root)}, cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{words[0]} failed with {done.returncode}: {done.stderr[-500:]}")


def _subject_of(home: Home, name: str) -> str:
    from device.store.store import Store

    with Store.open(home) as store:
        return next(one.subject_id for one in store.household().subjects if one.name == name)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except OSError:
        return []


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
