"""Who is seen in frames, and how alike two sightings are: one seam, for faces and for rendered heads.

The same detectors and embedders as on the box. Knows no clusters and no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec
from runtime.contract.sources import PersonSource
from runtime.people.cluster import mean_template
from runtime.people.faces import face_distance, shared_faces
from runtime.people.stream import face_views
from runtime.people.views import PersonView
from train.augment.dataset.attributes import AttributeReader, NoReader, TraitReader
from train.checkpoint import fingerprint, load_base
from train.model.pvchat import PVChat
from train.windows import look

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
_ALL = 1_000


class Eyes(Protocol):
    """Finds and compares people.

    Attributes:
        source, encoder: what the embeddings are of, and what made them.
        looks: what reads attributes off such people.
        same_above: likeness from which two sightings are taken for one person.
    """

    source: PersonSource
    encoder: str
    same_above: float
    looks: AttributeReader

    def views(self, frames: Frames, fps: float) -> list[PersonView]:
        """Everybody in frames uint8 (T, H, W, 3); `track` is one number a person as far as tracking tells."""
        ...

    def distance(self, one: Floats, other: Floats) -> Floats:
        """(N, E) and (M, E) unit embeddings to (N, M), 0 for the same picture."""
        ...


class FaceEyes:
    """dlib's faces, for ordinary footage."""

    source: PersonSource = "face"
    encoder = "dlib"
    same_above = 1 - 0.47

    def __init__(self) -> None:
        self.looks: AttributeReader = NoReader()

    def views(self, frames: Frames, fps: float) -> list[PersonView]:
        """See `Eyes.views`."""
        times = [index / fps for index in range(len(frames))]
        return face_views(
            frames, times, range(len(frames)), shared_faces(), check=lambda: None, per_track=_ALL
        )

    def distance(self, one: Floats, other: Floats) -> Floats:
        """dlib's own distance."""
        return face_distance(one, other)


class HeadEyes:
    """A base's encoders, for the rendered world."""

    source: PersonSource = "head"
    same_above = 0.5

    def __init__(self, model: PVChat, encoder: str = "") -> None:
        """Take over a base; `encoder` is its fingerprint."""
        self._model = model
        self.encoder = encoder
        self.looks: AttributeReader = TraitReader(model)

    def views(self, frames: Frames, fps: float) -> list[PersonView]:
        """See `Eyes.views`."""
        return look(self._model, frames, PixelSpec(), fps)[1]

    def distance(self, one: Floats, other: Floats) -> Floats:
        """One minus the cosine."""
        return np.asarray(1.0 - one @ other.T, dtype=np.float32)


def most_alike(eyes: Eyes, frames: Frames, fps: float, person: Sequence[PersonView]) -> list[PersonView]:
    """The one in frames who is most like a person; nobody where nobody is seen."""
    return max(tracks_of(eyes, frames, fps), key=lambda views: likeness(eyes, person, views), default=[])


def tracks_of(eyes: Eyes, frames: Frames, fps: float) -> list[list[PersonView]]:
    """Views of everybody in frames, by track."""
    by_track: dict[int, list[PersonView]] = {}
    for view in eyes.views(frames, fps):
        by_track.setdefault(view.track, []).append(view)
    return [views for _, views in sorted(by_track.items())]


def likeness(eyes: Eyes, one: Sequence[PersonView], other: Sequence[PersonView]) -> float:
    """How alike two people are: 1 minus the distance of their mean embeddings; -1 where one is unseen."""
    if not one or not other:
        return -1.0
    a, b = (mean_template(views)[None] for views in (one, other))
    return 1.0 - float(eyes.distance(a, b)[0, 0])


def open_eyes(base: Path | None) -> Eyes:
    """Eyes for rendered people, as a base checkpoint sees them; without one for ordinary footage.

    Raises:
        BundleError: there is no such checkpoint.
    """
    return FaceEyes() if base is None else HeadEyes(load_base(base)[0], fingerprint(base))
