"""Questions of existence about people that no stage has seen, asked as on the box. Knows no calibration.

Held-out people are enrolled from their reference clip and asked about in other clips (other clothes, room,
light, night, occlusion), in clips of their look-alike and in clips of strangers, through detection and
tracking. A clip is asked about as a whole, as on the box: in windows that together cover it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.contract.clip import window_starts
from runtime.contract.pixels import PixelSpec
from runtime.people.cluster import mean_template, spread_views
from runtime.people.views import clearest_of, views_within
from train.base.config import WorldConfig
from train.base.world_data import cast_of, sample_people
from train.model.pvchat import PVChat
from train.windows import (
    REFERENCE_TOKENS,
    WINDOW_TOKENS,
    EncodedWindow,
    bridge_inputs,
    look,
    pack,
)
from train.world.scene import render_frames
from train.world.script import Script
from train.world.sight import decidable, recognisable, sights
from train.world.traits import differing_traits

Floats = NDArray[np.float32]
_VIEWS = 16


@dataclass(frozen=True, slots=True)
class Look:
    """One window about the person who fits best: raw presence, and the quality 0..1 of the clearest view."""

    score: float
    quality: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One question of existence.

    Attributes:
        who: identity asked about; case: present, lookalike or stranger.
        told: whether what tells the answer is visible, by the world's own rule.
        looks: of the clip's windows, those about the person in view who fits best; none if nobody is found.
        cosine: plain baseline, the best of all views; distance: domain distance of the clip.
    """

    who: int
    case: str
    told: bool
    looks: tuple[Look, ...]
    cosine: float
    distance: float


@dataclass(frozen=True, slots=True)
class Scene:
    """A clip of the set through the encoders: its windows, its script, and who is in it.

    Attributes:
        people: by window, the clip's number of each of the window's tracks.
        distance: from the trained world, the median over its windows.
    """

    windows: tuple[EncodedWindow, ...]
    people: tuple[tuple[int, ...], ...]
    script: Script
    cast: list[int]
    distance: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A person enrolled from the reference clip: queries (1, Q, D), and the unit mean of good views."""

    queries: torch.Tensor
    template: Floats


class HeldOut:
    """Clips of people that no stage has seen, rendered and encoded once; only the frozen encoders matter."""

    def __init__(self, model: PVChat, config: WorldConfig) -> None:
        self.model, self.config = model, config
        self.identities = sample_people(config)
        self.first = config.identities - config.held_out
        self.spec = PixelSpec()
        self._scenes: dict[int, Scene] = {}
        self._references: dict[int, Reference | None] = {}

    def scene(self, clip: int) -> Scene:
        """A whole clip, at full size through detection and tracking."""
        if clip not in self._scenes:
            cast, script = cast_of(self.config, self.identities, clip)
            self._scenes[clip] = self._encode(script, cast)
        return self._scenes[clip]

    def _encode(self, script: Script, cast: list[int]) -> Scene:
        fps, length = self.spec.window_fps, self.spec.window_frames
        count = max(length, int(script.duration_s * fps))
        frames, _ = render_frames(script, [step / fps for step in range(count)])
        scene, views = look(self.model, frames, self.spec, fps)
        windows, people = [], []
        for start in window_starts(count, length):
            span = range(start, start + length)
            local, numbers = views_within(views, span, fps)
            tokens = pack(local, frames, self.spec, WINDOW_TOKENS, self.model)
            windows.append(EncodedWindow(scene[start : start + length], tokens))
            people.append(numbers)
        distance = float(np.median([_distance(self.model, window) for window in windows]))
        return Scene(tuple(windows), tuple(people), script, cast, distance)

    def reference(self, who: int) -> Reference | None:
        """The reference clip of a person; None where nobody is found in it."""
        if who not in self._references:
            self._references[who] = self._look(who)
        return self._references[who]

    def _look(self, who: int) -> Reference | None:
        _, script = cast_of(self.config, self.identities, who * self.config.clips_each)
        frames, _ = render_frames(script, [step / self.spec.window_fps for step in range(9)])
        _, views = look(self.model, frames, self.spec, self.spec.window_fps)
        if not views:
            return None
        best = max(view.quality for view in views)
        good = [view for view in views if view.quality >= best / 2]
        tokens = pack(
            spread_views(views, REFERENCE_TOKENS), frames, self.spec, REFERENCE_TOKENS, self.model,
        )  # fmt: skip
        parts = (torch.from_numpy(part)[None] for part in (tokens.embed, tokens.geom, tokens.valid))
        with torch.no_grad():
            queries, _, _ = self.model.enrol(*parts)
        return Reference(queries, mean_template(spread_views(good, _VIEWS)))


def run_trials(held: HeldOut, *, people: int, progress: Callable[[int, int], None]) -> list[Trial]:
    """Ask about held-out people; each in own clips, the look-alike's, and a stranger's."""
    config, first = held.config, held.first
    trials: list[Trial] = []
    for number in range(people):
        who = first + number
        reference = held.reference(who)
        progress(number + 1, people)
        if reference is None:
            continue
        stranger = first + (number + 11) % config.held_out
        for case, owner in (("present", who), ("lookalike", who ^ 1), ("stranger", stranger)):
            for turn in range(1, config.clips_each):
                scene = held.scene(owner * config.clips_each + turn)
                if (who in scene.cast) is (case == "present"):
                    looks, cosine = _ask(held.model, scene, reference)
                    told = _told(held, who, scene)
                    trials.append(Trial(who, case, told, looks, cosine, scene.distance))
    return trials


def _told(held: HeldOut, who: int, scene: Scene) -> bool:
    """Whether a careful observer could tell: enough of the person, or a difference to everybody in view."""
    seen = sights(scene.script)
    if who in scene.cast:
        return recognisable(seen[scene.script.people[scene.cast.index(who)].person_id].traits)
    return all(
        decidable(
            seen[person.person_id].traits, differing_traits(held.identities[who], held.identities[other])
        )
        for person, other in zip(scene.script.people, scene.cast, strict=True)
    )


@torch.no_grad()
def _ask(model: PVChat, scene: Scene, reference: Reference) -> tuple[tuple[Look, ...], float]:
    """Looks at the person in view who fits best, and the largest cosine of all views."""
    count, config = len(scene.windows), model.bridge.config
    queries = reference.queries[None].expand(count, -1, -1, -1)
    template = torch.from_numpy(reference.template).expand(count, 1, -1)
    deltas = (count, 1, config.layers)
    inputs = bridge_inputs(
        scene.windows, queries, template, torch.zeros(*deltas, config.dim, config.rank),
        torch.zeros(*deltas, config.rank, config.dim),
    )  # fmt: skip
    out = model.bridge(inputs)
    cosines, _, _ = model.bridge.identity(template, inputs.embed, inputs.geom, inputs.valid)
    of_person: dict[int, list[Look]] = {}
    best = -1.0
    for number, (window, people) in enumerate(zip(scene.windows, scene.people, strict=True)):
        views = window.tokens.views
        if not views:
            continue
        matched = views[int(out.match[number, 0, : len(views)].argmax())]
        view = clearest_of(views, matched.track)
        look_at = Look(float(out.presence[number, 0]), view.quality)
        of_person.setdefault(people[view.track], []).append(look_at)
        best = max(best, float(cosines[number, 0, : len(views)].max()))
    looks = max(of_person.values(), key=lambda some: max(one.score for one in some), default=[])
    return tuple(looks), best


def _distance(model: PVChat, window: EncodedWindow) -> float:
    return float(model.domain_distance(torch.from_numpy(window.scene)[None])[0])
