"""`pvchat-edge ask`, from the shell's start of it to its end, with a daemon that runs. Knows no engines."""

from __future__ import annotations

from pathlib import Path

from export.bench_runtime.scenes import ROOMS, Scenes
from runtime.contract.errors import UnavailableError
from train.demo.children import Children
from train.demo.home import Cameras, daemon, settings, temporary_home, wait_until_live
from train.demo.story import ROOM_NAMES

_ANSWERED, _UNAVAILABLE, _TRIES = (0, 3), 4, 3
_PATIENCE = "runtime_start_timeout_ms = 120000\nask_timeout_ms = 120000\nmax_frame_age_ms = 60000\n"
"""Further limits: on a machine with other work the figure is bad, but there is one."""


def measure_shell(scenes: Scenes, repeats: int) -> list[float]:
    """Wall milliseconds of each question, through the public command line alone.

    A home with two replay cameras; the people in their pictures are asked about in turn. Only questions that
    are answered count, and the first of them warms up.

    Raises:
        UnavailableError: too few are.
    """
    spent_ms: list[float] = []
    with temporary_home(keep=False) as home, Children(home) as children:
        children.cli("init")
        cameras = Cameras(home / "cameras")
        (home / "config" / "device.toml").write_text(settings(cameras.files) + _PATIENCE, encoding="utf-8")
        for member, clip in zip(scenes.members, scenes.references, strict=True):
            children.cli("person", "add", member.name, "--clip", str(clip), "--consent-by", member.name)
        cameras.show(_films(scenes))
        with daemon(home) as child:
            wait_until_live(children, child, home, len(scenes.members))
            cameras.started()
            cameras.wait()
            for turn in range(_TRIES * (repeats + 1)):
                who = scenes.members[turn % len(scenes.members)].name
                room = ROOM_NAMES[ROOMS[turn % len(ROOMS)]]
                question = f"Is {who} in the {room}?"
                reply = children.cli("ask", question, accept=(*_ANSWERED, _UNAVAILABLE))
                if reply.code in _ANSWERED:
                    spent_ms.append(reply.wall_ms)
                if len(spent_ms) > repeats:
                    return spent_ms[1:]
    raise UnavailableError("the daemon's cameras are not live often enough.", "Is the machine busy?")


def _films(scenes: Scenes) -> dict[str, Path]:
    return {room: scenes.shows[number % len(scenes.shows)].film for number, room in enumerate(ROOMS)}
