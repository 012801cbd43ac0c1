"""People who are somebody else: from a folder of faces, rendered look-alikes, rendered strangers.

Never members of the household: forgetting one must not leave traces in another. Knows no motions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from runtime.adapters import adapter_from_bytes
from runtime.contract.errors import ContentError, UsageError
from runtime.people.cluster import mean_template
from runtime.people.views import PersonView
from runtime.video import read_video
from train.augment.dataset.eyes import Eyes, likeness
from train.augment.dataset.gallery import Gallery
from train.augment.vary.shot import Shot
from train.world.household import identity_at
from train.world.sample import sample_script
from train.world.scene import render_frames
from train.world.traits import Identity, look_alike

Floats = NDArray[np.float32]
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
class Members:
    """Views of people who are not to be shown: the other members of the household.

    Attributes:
        views: float32 (N, E), unit.
    """

    views: Floats

    def among(self, views: Sequence[PersonView], eyes: Eyes) -> bool:
        """Whether somebody in these views may be a member."""
        embeddings = np.array([view.embedding for view in views], dtype=np.float32)
        return bool(len(embeddings) and self.beside(embeddings, eyes).any())

    def beside(self, embeddings: Floats, eyes: Eyes) -> NDArray[np.bool_]:
        """bool (M,): which embeddings (M, E) may be a member's."""
        if not len(self.views):
            return np.zeros(len(embeddings), dtype=bool)
        nearest = eyes.distance(self.views, embeddings).min(axis=0)
        return np.asarray(1.0 - nearest >= eyes.same_above)


def read_members(paths: Sequence[Path], eyes: Eyes, fps: float) -> Members:
    """Members from their adapters (`.safetensors`), or from clips and pictures: everybody in those is one.

    Raises:
        ContentError: a file shows nobody, or an adapter holds no such views. AdapterError: it is damaged.
        UsageError: nothing lies at a path.
    """
    found: list[Floats] = []
    for path in paths:
        if path.suffix == ".safetensors":
            if not path.is_file():
                raise UsageError(f"{path} does not exist.", "Check the path.")
            views = adapter_from_bytes(path.read_bytes()).views(eyes.source)
        else:
            seen = eyes.views(read_video(path, fps=fps).clip.frames, fps)
            views = np.array([view.embedding for view in seen], dtype=np.float32)
        if not len(views):
            raise ContentError(
                f"{path.name} holds no {eyes.source} of a member.", "Name a clip or an adapter that does."
            )
        found.append(views)
    return Members(np.concatenate(found) if found else np.empty((0, 0), dtype=np.float32))


def similar_people(
    gallery: Gallery, person: Sequence[PersonView], eyes: Eyes, members: Members, count: int,
    frames_each: int, fps: float,
) -> list[Other]:  # fmt: skip
    """The people of a gallery most like a person, each once; no picture that shows the person or a member.

    Raises:
        ContentError: a file of the gallery is gone.
    """
    template = mean_template(person)
    alike = 1.0 - eyes.distance(template[None], gallery.embeddings)[0]
    barred = set(gallery.of[(alike >= eyes.same_above) | members.beside(gallery.embeddings, eyes)].tolist())
    found: list[Other] = []
    for face in gallery.nearest(template):
        if len(found) == count:
            break
        file = int(gallery.of[face])
        if file in barred:
            continue
        this_one = Members(gallery.embeddings[face][None]).beside(gallery.embeddings, eyes)
        barred.update(gallery.of[this_one].tolist())
        frame, head = gallery.picture(face)
        held = np.repeat(frame[None], frames_each, axis=0)
        shot = Shot(held, np.tile(head, (frames_each, 1)), fps)
        found.append(Other("similar", Path(gallery.names[file]).name, float(alike[face]), shot))
    return found


def rendered_people(
    person: Sequence[PersonView], eyes: Eyes, members: Members, *, look_alikes: int, random: int, seed: int,
    frames_each: int, fps: float,
) -> list[Other]:  # fmt: skip
    """Drawn people: variants of those who look most like the person, and others; nobody like a member."""
    rng = np.random.default_rng((seed, 3))
    pool = [identity_at("train", 600_000 + seed * _POOL + index) for index in range(_POOL)]
    drawn = [_held(identity, rng, frames_each, fps) for identity in pool]
    seen = [eyes.views(shot.frames[:1], fps) for shot in drawn]
    alike = [likeness(eyes, person, views) for views in seen]
    others = [index for index in range(_POOL) if not members.among(seen[index], eyes)]
    ranked = sorted(others, key=lambda index: -alike[index])
    found = []
    for number in range(look_alikes if ranked else 0):
        identity = look_alike(pool[ranked[number % len(ranked)]], 1 + number % 5, rng)
        shot = _held(identity, rng, frames_each, fps)
        views = eyes.views(shot.frames[:1], fps)
        if members.among(views, eyes):
            continue
        near = likeness(eyes, person, views)
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
