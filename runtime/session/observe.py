"""Frames to what is seen in them: scene tokens, people, windows. Knows no subjects and no questions.

The scene decides the source of identity: where its tokens look like the trained world, people come from the
vision engine and the head encoder; elsewhere only faces are looked for, and scene tokens count for nothing.
Tokens alone are easily fooled (networks say little of what they never saw), so a scene that is not typical is
searched for a real face: drawn ones are none to a detector that learned from photographs.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.contract.adapter import PersonSource
from runtime.contract.clip import Clip, even_indices, window_indices, window_starts
from runtime.contract.errors import EngineError
from runtime.contract.pixels import to_vision_input
from runtime.people.bodies import bodies_of, faceless, without_turned
from runtime.people.detect import hidden_trunks
from runtime.people.screens import on_screens
from runtime.people.stillness import still_faces
from runtime.people.stream import HeadLook, face_views, head_views
from runtime.people.tokens import person_tokens
from runtime.people.views import PersonTokens, PersonView, views_within
from runtime.session.light import is_colourless
from runtime.session.models import BODY, Models

Floats = NDArray[np.float32]
MAX_WINDOWS = 6
LIVE_LOOKS, MIN_CLIP_LOOKS, MAX_CLIP_LOOKS = 4, 6, 12
MAX_LOOK_GAP_S = 1.5
_VISION_BATCH = 16
_KEPT = 8
_REAL_FACE, _FACE_LOOKS = 0.8, 3
"""dlib's margin from which a face is real, whatever finds faces otherwise.

70 drawn heads, 45 to 66 pixels high, reached 0.62 at the most; in 11 ordinary clips that show faces the best
of the looks was 1.5 and more."""


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
        key: sha256 of the frames with their rate.
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
        colourless: whether ordinary footage is infrared, or black and white.
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


class Observer:
    """Looks at clips; remembers the last eight without their pixels."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._spec = models.manifest.pixels
        self._seen: OrderedDict[tuple[object, ...], Observation] = OrderedDict()

    def observe(
        self, clip: Clip, *, looks: int, per_track: int, check: Callable[[], None],
        known: PersonSource | None = None,
    ) -> Observation:  # fmt: skip
        """Everything that is seen in a clip.

        Args:
            clip: frames at the bundle's window rate.
            looks: how many frames are searched for faces where the scene is not of the trained world.
            per_track: how many faces of a person are embedded then.
            check: called between engine runs; raises to stop.
            known: what everybody who is enrolled was learned from; None: from both, or nobody is. A home
                whose people were learned from faces is no drawing.
        """
        key = clip_key(clip)
        installed = (self._models.persons is not None, self._models.better_faces is not None)
        place = (key, looks, known == "face", *installed)
        found = self._seen.get(place)
        if found is None:
            found = self._observe(key, clip, looks, per_track, check, known)
            self._seen[place] = found
            if len(self._seen) > _KEPT:
                self._seen.popitem(last=False)
        self._seen.move_to_end(place)
        return found

    def _observe(
        self, key: str, clip: Clip, looks: int, per_track: int, check: Callable[[], None],
        known: PersonSource | None,
    ) -> Observation:  # fmt: skip
        if known == "face":
            return self._faces(key, clip, math.inf, looks, per_track, check)
        scene, people = self._look(clip.frames, check)
        starts = window_starts(len(clip.frames), self._spec.window_frames)
        spans = [self._span(clip, start) for start in starts]
        distance = self._distance(scene, spans)
        if self._is_ordinary(distance, clip, check):
            return self._faces(key, clip, distance, looks, per_track, check)
        check()
        times_s = [index / clip.fps for index in range(len(clip.frames))]
        tell = self._tell_bodies if BODY in self._models.engines else None
        views = head_views(clip.frames, times_s, people, self._spec, self._embed_heads, tell)
        windows = []
        for number in _choose(spans, views):
            windows.append(self._window(f"{key}:{starts[number]}", clip, scene, spans[number], views))
        hidden = sum(hidden_trunks(cells, self._grid_rows(people.shape[1])) > 0 for cells in people)
        return Observation(
            key, "head", distance, tuple(views), tuple(windows), len(times_s), 1 / clip.fps, hidden
        )

    def _is_ordinary(self, distance: float, clip: Clip, check: Callable[[], None]) -> bool:
        """Whether a scene is footage of real people rather than of the trained world."""
        rules = self._models.manifest.calibration
        if distance > rules.domain_limit:
            return True
        if distance <= rules.domain_sure:
            return False
        for index in sorted(set(even_indices(len(clip.frames), _FACE_LOOKS))):
            check()
            try:
                found = self._models.faces.find(clip.frames[index])
            except EngineError:
                return False  # without a face detector there is no second look
            if any(face.score >= _REAL_FACE for face in found):
                return True
        return False

    def _faces(
        self, key: str, clip: Clip, distance: float, looks: int, per_track: int, check: Callable[[], None]
    ) -> Observation:
        times_s = [index / clip.fps for index in range(len(clip.frames))]
        chosen = sorted(set(even_indices(len(clip.frames), looks)))
        views = face_views(
            clip.frames, times_s, chosen, self._models.faces, check, per_track, self._models.better_faces
        )
        finder, hidden, pictured = self._models.persons, 0, frozenset[int]()
        if finder is not None:
            seen = []
            for index in chosen:
                check()
                seen.append(finder.find(clip.frames[index]))
            bodies = bodies_of(chosen, times_s, [sight.people for sight in seen], views)
            views, hidden = without_turned(views, bodies), faceless(bodies)
            screens = [sight.screens for sight in seen]
            pictured = on_screens([clip.frames[index] for index in chosen], views, bodies, screens)
        return Observation(
            key, "face", distance, tuple(views), (), len(chosen), _gap_s(chosen, clip), hidden,
            still_faces(clip.frames, views), finder is not None, pictured,
            is_colourless([clip.frames[index] for index in chosen]),
        )  # fmt: skip

    def _grid_rows(self, cells: int) -> int:
        """Rows of the grid of square cells that covers the vision input."""
        return max(1, round(math.sqrt(cells * self._spec.height / self._spec.width)))

    def _look(self, frames: NDArray[np.uint8], check: Callable[[], None]) -> tuple[Floats, Floats]:
        """Scene tokens (T, P, Dv) and people (T, P, 9) of all frames, some at a time."""
        scene: list[Floats] = []
        people: list[Floats] = []
        for start in range(0, len(frames), _VISION_BATCH):
            check()
            pixels = to_vision_input(frames[start : start + _VISION_BATCH], self._spec)
            outputs = self._models.engines["vision"].run({"pixels": pixels})
            scene.append(outputs["tokens"])
            people.append(outputs["people"])
        return np.concatenate(scene), np.concatenate(people)

    def _embed_heads(self, crops: Floats) -> HeadLook:
        outputs = self._models.engines["head"].run({"crops": crops})
        none = np.zeros((len(crops), 3), dtype=np.float32)  # older bundles tell neither shift nor pose
        return HeadLook(
            outputs["embeddings"], outputs["quality"], outputs.get("shift", none), outputs.get("pose", none)
        )

    def _tell_bodies(self, crops: Floats) -> Floats:
        return self._models.engines[BODY].run({"crops": crops})["signs"]

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


def clip_key(clip: Clip) -> str:
    """sha256 of frames, their shape and rate, in hex."""
    digest = hashlib.sha256(f"{clip.frames.shape}@{clip.fps}".encode())
    digest.update(np.ascontiguousarray(clip.frames).data)
    return digest.hexdigest()


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
