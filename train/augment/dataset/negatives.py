"""People who are somebody else: from a folder of faces, rendered look-alikes, rendered strangers.

Never members of the household: forgetting one must not leave traces in another. Knows no motions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from runtime.contract.errors import ContentError, PvchatError
from runtime.people.cluster import mean_template
from runtime.people.views import PersonView
from runtime.video import read_video
from train.augment.dataset.eyes import Eyes, likeness
from train.augment.dataset.people import stills
from train.augment.vary.shot import Shot
from train.world.household import identity_at
from train.world.sample import sample_script
from train.world.scene import render_frames
from train.world.traits import Identity, look_alike

Frames = NDArray[np.uint8]
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_VIDEOS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".mpg")
_LONGEST_S = 4.0
_MOST_PIXELS = 1280
_POOL = 60


@dataclass(frozen=True, slots=True)
class Other:
    """Somebody else, held still.

    Attributes:
        kind: from the folder, or rendered.
        origin: file, or what was rendered; likeness: to the person, 1 for the same picture.
    """

    kind: Literal["similar", "look_alike", "random"]
    origin: str
    likeness: float
    shot: Shot


@dataclass(frozen=True, slots=True)
class Gallery:
    """An index over the faces of a folder.

    Attributes:
        files: one a row. views: the best view of each. index: over the rows.
    """

    files: list[Path]
    views: list[PersonView]
    index: NearestNeighbors

    def nearest(self, person: Sequence[PersonView], count: int) -> list[int]:
        """Rows of the faces most like a person, the most alike first."""
        _, rows = self.index.kneighbors(mean_template(person)[None], n_neighbors=min(count, len(self.files)))
        return [int(row) for row in rows[0]]


def open_gallery(folder: Path, eyes: Eyes, progress: Callable[[int, int], None]) -> Gallery:
    """Look at every picture and video of a folder, sub-folders too; files without a face are left out.

    Raises:
        ContentError: no file shows a face.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (*_PICTURES, *_VIDEOS))
    files, views = [], []
    for number, path in enumerate(paths, start=1):
        try:
            frames = read_frames(path)
        except PvchatError:
            continue
        found = stills(eyes.views(frames, 2.0), frames)
        if found:
            files.append(path)
            views.append(found[0].view)
        progress(number, len(paths))
    if not files:
        raise ContentError(f"no file in {folder} shows a face.", "Name a folder of pictures of people.")
    index = NearestNeighbors(metric="euclidean").fit(np.stack([view.embedding for view in views]))
    return Gallery(files, views, index)


def read_frames(path: Path) -> Frames:
    """A picture as one frame, or the first seconds of a video, uint8 (T, H, W, 3).

    Raises:
        ContentError: it cannot be read.
    """
    if path.suffix.lower() in _VIDEOS:
        return read_video(path, fps=2.0, max_s=_LONGEST_S).clip.frames
    raw = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if raw is None:
        raise ContentError(f"{path} cannot be read as a picture.", "Leave it out.")
    scale = min(1.0, _MOST_PIXELS / max(raw.shape[:2]))
    if scale < 1:
        raw = cv2.resize(raw, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(raw[None, ..., ::-1])


def similar_people(
    gallery: Gallery, person: Sequence[PersonView], eyes: Eyes, count: int, frames_each: int, fps: float
) -> list[Other]:
    """The people of a gallery most like a person, but not the person.

    Raises:
        ContentError: a file of the gallery is gone.
    """
    found: list[Other] = []
    for row in gallery.nearest(person, len(gallery.files)):
        if len(found) == count:
            break
        alike = likeness(eyes, person, [gallery.views[row]])
        if alike >= eyes.same_above:
            continue
        view = gallery.views[row]
        frame = read_frames(gallery.files[row])[view.frame]
        held = np.repeat(frame[None], frames_each, axis=0)
        heads = np.tile(np.array(view.head, dtype=np.float32), (frames_each, 1))
        found.append(Other("similar", gallery.files[row].name, alike, Shot(held, heads, fps)))
    return found


def rendered_people(
    person: Sequence[PersonView], eyes: Eyes, *, look_alikes: int, random: int, seed: int,
    frames_each: int, fps: float,
) -> list[Other]:  # fmt: skip
    """Drawn people: variants of those who look most like the person, and others."""
    rng = np.random.default_rng((seed, 3))
    pool = [identity_at("train", 600_000 + seed * _POOL + index) for index in range(_POOL)]
    drawn = [_held(identity, rng, frames_each, fps) for identity in pool]
    alike = [likeness(eyes, person, eyes.views(shot.frames[:1], fps)) for shot in drawn]
    ranked = sorted(range(_POOL), key=lambda index: -alike[index])
    found = []
    for number in range(look_alikes):
        identity = look_alike(pool[ranked[number % len(ranked)]], 1 + number % 5, rng)
        shot = _held(identity, rng, frames_each, fps)
        near = likeness(eyes, person, eyes.views(shot.frames[:1], fps))
        found.append(Other("look_alike", f"rendered {number}", near, shot))
    for index in ranked[::-1][:random]:
        found.append(Other("random", f"rendered pool {index}", alike[index], drawn[index]))
    return found


def _held(identity: Identity, rng: np.random.Generator, count: int, fps: float) -> Shot:
    script = sample_script(
        rng, people=[identity], night=False, hidden=False, foreground=False, facing_deg=0.0,
        head_px=(50.0, 64.0),
    )  # fmt: skip
    frames, moments = render_frames(script, [0.5])
    head = np.array(moments[0][0].head_box, dtype=np.float32)
    return Shot(np.repeat(frames, count, axis=0), np.tile(head, (count, 1)), fps)
