"""What the engines say of single frames, each thing asked for once. Knows no clips, tracks and subjects.

Every engine is given one frame at a time: networks may give other last bits in a batch of another size, and
so what is kept of a frame is, bit for bit, what would be computed of it again, whatever is beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec, to_vision_input
from runtime.people.faces import Face
from runtime.people.persons import PersonFinder, Sight
from runtime.people.stream import HeadLook, SeenHead, heads_in
from runtime.session.models import BODY, Models
from runtime.session.recent import Recent

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameKey:
    """Equal only for the same pixels through the same engines.

    Attributes:
        engine: as `Models.engine_id`.
        shape: height, width, channels. digest: sha256 of the pixels.
    """

    engine: str
    shape: tuple[int, ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class SceneLook:
    """What the vision engine says of one frame.

    Attributes:
        tokens: float32 (P, Dv), scene tokens; people: float32 (P, 9 or 10), as `find_people` takes them.
    """

    tokens: Floats
    people: Floats


@dataclass(slots=True)
class FrameFeatures:
    """What was asked about one frame so far.

    Attributes:
        scene, heads, sight: None: nobody asked.
        faces: by whether the better detector found them. embeddings: float32 (E,), by face.
    """

    scene: SceneLook | None = None
    heads: tuple[SeenHead, ...] | None = None
    sight: Sight | None = None
    faces: dict[bool, list[Face]] = field(default_factory=dict)
    embeddings: dict[Face, Floats] = field(default_factory=dict)


class FeatureRing:
    """The features of at most `frames` frames, those used last."""

    def __init__(self, frames: int) -> None:
        self._frames: Recent[FrameKey, FrameFeatures] = Recent(frames)

    def of(self, key: FrameKey) -> FrameFeatures:
        """What is known of a frame; empty at first."""
        return self._frames.get(key) or self._frames.put(key, FrameFeatures())

    def __len__(self) -> int:
        return len(self._frames)


def frame_keys(frames: NDArray[np.uint8], engine: str) -> list[FrameKey]:
    """The key of each frame of uint8 (T, H, W, 3)."""
    return [FrameKey(engine, frames.shape[1:], _digest(frame)) for frame in frames]


class FrameNamer:
    """Keys of a stream's frames; what is marked as a frame of an earlier window is not hashed again."""

    def __init__(self, frames: int) -> None:
        """Args: frames: how many marks are remembered."""
        self._digests: Recent[bytes, bytes] = Recent(frames)

    def keys(self, frames: NDArray[np.uint8], engine: str, marks: Sequence[bytes]) -> list[FrameKey]:
        """As `frame_keys`.

        Args:
            marks: of each frame, as `runtime.frames.Window.marks`, of one ring alone.
        """
        named = []
        for frame, mark in zip(frames, marks, strict=True):
            digest = self._digests.get(mark) or self._digests.put(mark, _digest(frame))
            named.append(FrameKey(engine, frames.shape[1:], digest))
        return named


def _digest(frame: Frame) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(frame).data).digest()


class FrameEncoder:
    """Asks the engines about a frame, unless its features hold the answer already."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._spec: PixelSpec = models.manifest.pixels
        self._tell = self._tell_bodies if BODY in models.engines else None

    def scene(self, frame: Frame, known: FrameFeatures) -> SceneLook:
        """Scene tokens and people of a frame uint8 (H, W, 3), RGB."""
        if known.scene is None:
            outputs = self._models.engines["vision"].run({"pixels": to_vision_input(frame[None], self._spec)})
            known.scene = SceneLook(outputs["tokens"][0], outputs["people"][0])
        return known.scene

    def heads(self, frame: Frame, known: FrameFeatures) -> tuple[SeenHead, ...]:
        """Everybody whose head is found, embedded."""
        if known.heads is None:
            people = self.scene(frame, known).people[None]
            (known.heads,) = heads_in(frame[None], people, self._spec, self._embed_heads, self._tell)
        return known.heads

    def faces(self, frame: Frame, known: FrameFeatures, *, better: bool) -> list[Face]:
        """Faces, found by what embeds them or by the better detector, which then must be installed.

        Raises:
            EngineError: the detector is not installed, or does not load.
        """
        if better not in known.faces:
            finder = self._models.better_faces if better else None
            known.faces[better] = (finder or self._models.faces).find(frame)
        return known.faces[better]

    def embedding(self, frame: Frame, known: FrameFeatures, face: Face) -> Floats:
        """float32 (E,), unit: whose face it is."""
        if face not in known.embeddings:
            known.embeddings[face] = self._models.faces.embed(frame, [face])[0]
        return known.embeddings[face]

    def sight(self, frame: Frame, known: FrameFeatures, finder: PersonFinder) -> Sight:
        """People with and without a face, and screens."""
        if known.sight is None:
            known.sight = finder.find(frame)
        return known.sight

    def _embed_heads(self, crops: Floats) -> HeadLook:
        outputs = self._models.engines["head"].run({"crops": crops})
        none = np.zeros((len(crops), 3), dtype=np.float32)  # older bundles tell neither shift nor pose
        return HeadLook(
            outputs["embeddings"], outputs["quality"], outputs.get("shift", none), outputs.get("pose", none)
        )

    def _tell_bodies(self, crops: Floats) -> Floats:
        return self._models.engines[BODY].run({"crops": crops})["signs"]


def clip_key(keys: Sequence[FrameKey], fps: float) -> str:
    """Names frames with their shape, rate and engines, in hex."""
    first = keys[0]
    digest = hashlib.sha256(f"{first.engine}:{len(keys)}x{first.shape}@{fps}".encode())
    for key in keys:
        digest.update(key.digest)
    return digest.hexdigest()
