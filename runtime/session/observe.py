"""Frames to what is seen in them: scene tokens, people, windows. Knows no subjects and no questions.

The scene decides the source of identity: where its tokens look like the trained world, people come from the
vision engine and the head encoder; elsewhere only faces are looked for, and scene tokens count for nothing.
Tokens alone are easily fooled (networks say little of what they never saw), so a scene that is not typical is
searched for a real face: drawn ones are none to a detector that learned from photographs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.contract.clip import Clip, even_indices, window_indices, window_starts
from runtime.contract.sources import PersonSource
from runtime.frames import ring_exists
from runtime.people.bodies import bodies_of, faceless, without_turned
from runtime.people.detect import stray_parts
from runtime.people.screens import on_screens
from runtime.people.stillness import still_faces
from runtime.people.stream import views_of_faces, views_of_heads
from runtime.people.tokens import person_tokens
from runtime.people.views import PersonTokens, PersonView, views_within
from runtime.session.features import (
    FeatureRing,
    FrameEncoder,
    FrameFeatures,
    SceneLook,
    clip_key,
    frame_keys,
)
from runtime.session.light import is_colourless
from runtime.session.models import Models
from runtime.session.recent import Recent
from runtime.session.streams import Streams

Floats = NDArray[np.float32]
MAX_WINDOWS = 6
LIVE_LOOKS, MIN_CLIP_LOOKS, MAX_CLIP_LOOKS = 4, 6, 12
MAX_LOOK_GAP_S = 1.5
_KEPT, _COLOUR_LOOKS = 8, 3
_REAL_FACE, _REAL_AMONG_DRAWN, _FACE_LOOKS = 0.8, 1.3, 3
"""dlib's margin from which a face is real, whatever finds faces otherwise; and where all enrolled are drawn.

Of 1139 drawn clips that are not typical 9 reached 0.8, none 1.2; of 21 ordinary ones 20 reached 0.8 and 19
1.3. Of the two mistakes the worse one is to give real people to networks that never saw any. Where
nobody real is enrolled it does no harm: none of those asked about can be in real footage.
"""


@dataclass(frozen=True, slots=True)
class Window:
    """What the bridge gets of some consecutive grid frames.

    Attributes:
        key: names frames and place in the clip; equal keys, equal tokens.
        scene: float32 (T, P, Dv).
        tokens: person tokens; `tokens.views[m].track` is numbered within the window.
        people: the clip's person number of each of these tracks.
    """

    key: str
    scene: Floats
    tokens: PersonTokens
    people: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen in a clip or a live window.

    Attributes:
        key: names the frames, their rate and the engines.
        source: what tells people apart here.
        domain_distance: of the scene from the trained world; infinite where nobody asked.
        views: people found; `frame` indexes the clip, `track` is one number a person in the whole clip.
        windows: for `head` only.
        looks: how many frames were searched for people.
        hidden: in how many of them somebody is in view whose head is not; in ordinary footage, somebody
            whose face is in none of them.
        gap_s: longest time that nobody looked for people; seconds.
        still: people who are faces that never move, such as a framed photograph.
        sees_bodies: whether people were searched for, not only what tells who they are.
        pictured: people who may only be on a screen.
        colourless: whether the camera sees by infrared, or in black and white.
        digests: sha256 of the pixels of each frame.
    """

    key: str
    source: PersonSource
    domain_distance: float
    views: tuple[PersonView, ...]
    windows: tuple[Window, ...]
    looks: int
    gap_s: float
    hidden: int = 0
    still: frozenset[int] = frozenset()
    sees_bodies: bool = True
    pictured: frozenset[int] = frozenset()
    colourless: bool = False
    digests: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Looked:
    """A clip, and what is known of each of its frames."""

    key: str
    clip: Clip
    frames: list[FrameFeatures]


class Observer:
    """Looks at clips; remembers the last eight and each camera's newest windows, without their pixels."""

    def __init__(self, models: Models, lives: Callable[[str], bool] = ring_exists) -> None:
        """Args: lives: whether a stream still has a camera."""
        self._models = models
        self._encoder = FrameEncoder(models)
        self._spec = models.manifest.pixels
        self._clips: Recent[tuple[object, ...], Observation] = Recent(_KEPT)
        self._streams: Streams[Observation] = Streams(lives)

    def observe(
        self, clip: Clip, *, looks: int, per_track: int, check: Callable[[], None],
        known: PersonSource | None = None, stream: str | None = None, marks: Sequence[bytes] = (),
    ) -> Observation:  # fmt: skip
        """Everything that is seen in a clip.

        Args:
            clip: frames at the bundle's window rate.
            looks: how many frames are searched for faces where the scene is not of the trained world.
            per_track: how many faces of a person are embedded then.
            check: called between engine runs; raises to stop.
            known: what everybody who is enrolled was learned from; None: from both, or nobody is. A home
                whose people were learned from faces is no drawing; where all are drawn, a face must be surer.
            stream: name of the camera's ring; its frames are remembered as long as it lives. None: a file.
            marks: of the frames, as that ring gives them; empty: all are hashed.
        """
        engine = self._models.engine_id
        memory = None if stream is None else self._streams.memory(stream)
        if memory is not None and marks:
            keys = memory.names.keys(clip.frames, engine, marks)
        else:
            keys = frame_keys(clip.frames, engine)
        key = clip_key(keys, clip.fps)
        installed = (self._models.persons is not None, self._models.better_faces is not None)
        place = (key, looks, per_track, known, *installed)
        seen = self._clips if memory is None else memory.windows
        found = seen.get(place)
        if found is None:
            features = FeatureRing(len(keys)) if memory is None else memory.features
            looked = _Looked(key, clip, [features.of(one) for one in keys])
            observation = self._observe(looked, looks, per_track, check, known)
            found = seen.put(place, replace(observation, digests=tuple(one.digest for one in keys)))
        return found

    def forget_gone(self) -> int:
        """Forget what was seen by cameras that are gone; how many there were."""
        return self._streams.forget_gone()

    def _observe(
        self, looked: _Looked, looks: int, per_track: int, check: Callable[[], None],
        known: PersonSource | None,
    ) -> Observation:  # fmt: skip
        if known == "face":
            return self._faces(looked, math.inf, looks, per_track, check)
        clip = looked.clip
        look = self._look(looked, check)
        scene = np.stack([one.tokens for one in look])
        starts = window_starts(len(clip.frames), self._spec.window_frames)
        spans = [self._span(clip, start) for start in starts]
        distance = self._distance(scene, spans)
        if self._is_ordinary(distance, looked, check, known):
            return self._faces(looked, distance, looks, per_track, check)
        times_s = [index / clip.fps for index in range(len(clip.frames))]
        heads = []
        for frame, features in zip(clip.frames, looked.frames, strict=True):
            check()
            heads.append(self._encoder.heads(frame, features))
        views = views_of_heads(heads, times_s)
        windows = []
        for number in _choose(spans, views):
            windows.append(self._window(f"{looked.key}:{starts[number]}", clip, scene, spans[number], views))
        hidden = sum(stray_parts(one.people, self._grid_rows(len(one.people))) > 0 for one in look)
        some = [clip.frames[index] for index in even_indices(len(clip.frames), _COLOUR_LOOKS)]
        return Observation(
            looked.key, "head", distance, tuple(views), tuple(windows), len(times_s), 1 / clip.fps, hidden,
            colourless=is_colourless(some),
        )  # fmt: skip

    def _is_ordinary(
        self, distance: float, looked: _Looked, check: Callable[[], None], known: PersonSource | None
    ) -> bool:
        """Whether a scene is footage of real people rather than of the trained world.

        Raises:
            EngineError: only a face can tell, and the face detector does not load, or fails: a guess might
                give real people to networks that never saw any.
        """
        rules = self._models.manifest.calibration
        if distance > rules.domain_limit:
            return True
        if distance <= rules.domain_sure:
            return False
        real = _REAL_AMONG_DRAWN if known == "head" else _REAL_FACE
        frames = looked.clip.frames
        for index in sorted(set(even_indices(len(frames), _FACE_LOOKS))):
            check()
            found = self._encoder.faces(frames[index], looked.frames[index], better=False)
            if any(face.score >= real for face in found):
                return True
        return False

    def _faces(
        self, looked: _Looked, distance: float, looks: int, per_track: int, check: Callable[[], None]
    ) -> Observation:
        encoder, clip, known = self._encoder, looked.clip, looked.frames
        times_s = [index / clip.fps for index in range(len(clip.frames))]
        chosen = sorted(set(even_indices(len(clip.frames), looks)))
        better = self._models.better_faces is not None
        views = views_of_faces(
            times_s, chosen,
            lambda index: encoder.faces(clip.frames[index], known[index], better=better),
            lambda index, face: encoder.embedding(clip.frames[index], known[index], face),
            check, per_track,
        )  # fmt: skip
        finder, hidden, pictured = self._models.persons, 0, frozenset[int]()
        if finder is not None:
            seen = []
            for index in chosen:
                check()
                seen.append(encoder.sight(clip.frames[index], known[index], finder))
            bodies = bodies_of(chosen, times_s, [sight.people for sight in seen], views)
            views, hidden = without_turned(views, bodies), faceless(bodies)
            screens = [sight.screens for sight in seen]
            pictured = on_screens([clip.frames[index] for index in chosen], views, bodies, screens)
        return Observation(
            looked.key, "face", distance, tuple(views), (), len(chosen), _gap_s(chosen, clip), hidden,
            still_faces(clip.frames, views), finder is not None, pictured,
            is_colourless([clip.frames[index] for index in chosen]),
        )  # fmt: skip

    def _grid_rows(self, cells: int) -> int:
        """Rows of the grid of square cells that covers the vision input."""
        return max(1, round(math.sqrt(cells * self._spec.height / self._spec.width)))

    def _look(self, looked: _Looked, check: Callable[[], None]) -> list[SceneLook]:
        """What the vision engine says of every frame."""
        look = []
        for frame, features in zip(looked.clip.frames, looked.frames, strict=True):
            check()
            look.append(self._encoder.scene(frame, features))
        return look

    def _span(self, clip: Clip, start: int) -> list[int]:
        """Indices of one window's frames."""
        wanted = self._spec.window_frames
        if len(clip.frames) < wanted:
            return window_indices(len(clip.frames), clip.fps, wanted, clip.fps)
        return list(range(start, start + wanted))

    def _distance(self, scene: Floats, spans: Sequence[Sequence[int]]) -> float:
        """Median over windows: one odd moment does not change the world."""
        domain = self._models.domain
        if domain is None:
            return 0.0
        return float(np.median([domain.distance(scene[list(span)]) for span in spans]))

    def _window(
        self, key: str, clip: Clip, scene: Floats, span: Sequence[int], views: Sequence[PersonView]
    ) -> Window:
        local, numbers = views_within(views, span, clip.fps)
        shapes = self._models.manifest.shapes
        tokens = person_tokens(
            local,
            frame_width=clip.frames.shape[2],
            frame_height=clip.frames.shape[1],
            spec=self._spec,
            capacity=shapes["M"],
            width=shapes["E"],
            signs=shapes.get("J", 0),
        )
        return Window(key, np.ascontiguousarray(scene[list(span)]), tokens, numbers)


def clip_looks(duration_s: float) -> int:
    """How many frames of a clip to search for faces, which is slow: one each 1.5 s, 6 to 12."""
    return max(MIN_CLIP_LOOKS, min(MAX_CLIP_LOOKS, math.ceil(duration_s / MAX_LOOK_GAP_S)))


def _choose(spans: Sequence[Sequence[int]], views: Sequence[PersonView]) -> list[int]:
    """At most six windows: the best of each person first, then evenly those with people in them.

    So everybody who was found is compared at least once, as far as six windows can hold them.
    """
    by_span = [[view for view in views if view.frame in set(span)] for span in spans]
    chosen: list[int] = []
    for person in sorted({view.track for view in views}):
        weights = [sum(v.quality for v in inside if v.track == person) for inside in by_span]
        chosen.append(int(np.argmax(weights)))
    chosen = list(dict.fromkeys(chosen))[:MAX_WINDOWS]
    rest = [number for number, inside in enumerate(by_span) if inside and number not in chosen]
    free = MAX_WINDOWS - len(chosen)
    if rest and free:
        chosen += [rest[index] for index in sorted(set(even_indices(len(rest), min(free, len(rest)))))]
    return sorted(chosen) or [len(spans) // 2]


def _gap_s(looks: Sequence[int], clip: Clip) -> float:
    edges = [-1, *looks, len(clip.frames)]
    return max(b - a for a, b in itertools.pairwise(edges)) / clip.fps
