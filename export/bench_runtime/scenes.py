"""A rendered household: clips to learn the members from, and what cameras show. Knows no product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.frames import MAX_HEIGHT, MAX_WIDTH
from train.demo.casting import Director
from train.world.dataset import reference_script
from train.world.files import write_video
from train.world.household import HouseholdWorld, Member, sample_household
from train.world.scene import render_clip

ROOMS = ("kitchen", "living_room")
_ACTIONS = ("drinking", "waving", "stirring", "sweeping", "nodding")
Frames = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Show:
    """What one camera shows, again and again.

    Attributes:
        frames: uint8 (T, 480, 640, 3), RGB, at the window's rate, as large as a camera's ring ever is.
        members: indices of the household's members in view.
        film: the same as a video file, for a replay camera.
    """

    name: str
    frames: Frames
    members: tuple[int, ...]
    film: Path


@dataclass(frozen=True, slots=True)
class Scenes:
    """A household, the clip each member is learned from, and its cameras."""

    world: HouseholdWorld
    references: tuple[Path, ...]
    shows: tuple[Show, ...]

    @property
    def members(self) -> tuple[Member, ...]:
        """Everybody who is enrolled."""
        return self.world.members


def make_scenes(folder: Path, *, seed: int, members: int, cameras: int, fps: float) -> Scenes:
    """Render a household into `folder`; the same seed gives the same pictures.

    Args:
        cameras: how many; the first shows one member, the second two, and so on in turn.
        fps: of the cameras' frames.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = sample_household(seed, members)
    director = Director(world)
    references = []
    for member in world.members:
        clip, _ = render_clip(reference_script(world, member))
        path = folder / f"{member.person_id}.mp4"
        write_video(path, clip.frames, clip.fps)
        references.append(path)
    shows = [_show(folder, director, number, fps) for number in range(cameras)]
    return Scenes(world, tuple(references), tuple(shows))


def _show(folder: Path, director: Director, number: int, fps: float) -> Show:
    everybody = director.world.members
    seen = tuple((number + extra) % len(everybody) for extra in range(1 + number % 2))
    actions = [_ACTIONS[(number + extra) % len(_ACTIONS)] for extra in range(len(seen))]
    name = f"camera{number}"
    script = director.scene(name, ROOMS[number % 2], [everybody[one] for one in seen], actions)
    film, _ = render_clip(script)
    path = folder / f"{name}.mp4"
    write_video(path, film.frames, film.fps)
    frames, _ = render_clip(script, fps=fps)
    return Show(name, enlarged(frames.frames), seen, path)


def enlarged(frames: Sequence[Frames] | Frames) -> Frames:
    """Frames as large as a camera's ring holds them: what is copied and hashed is as much as in a home."""
    size = (MAX_WIDTH, MAX_HEIGHT)
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in frames]).astype(
        np.uint8
    )
