"""Draws the demo's clips until what they show can be told. Knows no questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from runtime.contract.errors import ContentError
from train.world.household import HouseholdWorld, Member
from train.world.sample import sample_light, sample_script
from train.world.scene import frame_times, frame_truth
from train.world.script import HEIGHT_PX, Camera, Light, Script
from train.world.sight import decidable, recognisable, sights_of
from train.world.traits import differing_traits

SCENE_S = 6.0
"""Length of a camera loop; a picture that is the same for ten seconds would count as frozen."""
_CLIP_S = 4.0
_CAMERA = Camera(zoom=1.4, centre_x_px=192.0, centre_y_px=142.0, roll_deg=0.0)
_HEAD_PX = (40.0, 44.0)
_TRIES = 400
_CHECKED_FPS = 1.5
_MIN_HEAD_SEEN = 0.9
_MIN_SHARE = 0.9
_KNEES = 0.7  # of the way from the neck to the feet
_EDGE_PX = 6.0


class Director:
    """Draws scripts until what they show can be told: heads, clothes and deeds are in view all the time."""

    def __init__(self, world: HouseholdWorld) -> None:
        self.world = world
        self._drawn = 0

    def scene(self, name: str, room: str, people: Sequence[Member], actions: Sequence[str]) -> Script:
        """What one fixed camera of the home shows."""
        return self._draw(f"{name}-{room}", room, people, actions, _CAMERA)

    def clip(self, member: Member, room: str, action: str) -> Script:
        """A video file of one person, from a camera that nobody knows."""
        return self._draw(f"clip-{member.person_id}", room, [member], [action], None)

    def _draw(
        self, clip_id: str, room: str, people: Sequence[Member], actions: Sequence[str], camera: Camera | None
    ) -> Script:
        self._drawn += 1
        for attempt in range(_TRIES):
            rng = np.random.default_rng([self.world.seed, 31, self._drawn, attempt])
            script = sample_script(
                rng,
                people=[member.identity for member in people],
                person_ids=[member.person_id for member in people],
                actions=actions,
                room=self.world.rooms[room],
                light=_daylight(rng),
                hidden=False,
                head_px=_HEAD_PX,
                facing_deg=float(rng.uniform(-30.0, 30.0)),
                duration_s=SCENE_S if camera is not None else _CLIP_S,
                clip_id=clip_id,
            )
            if camera is not None:
                script = replace(script, camera=camera)
            if tellable(script, self.world):
                return script
        raise ContentError(
            f"no clip {clip_id} could be drawn in {_TRIES} tries.", "Choose another seed with --seed."
        )


def _daylight(rng: np.random.Generator) -> Light:
    """A home by day and a decent camera: the hard cases are for the evaluation, not for the demo."""
    return replace(
        sample_light(rng, night=False),
        brightness=float(rng.uniform(0.9, 1.03)),
        lamp_strength=float(rng.uniform(0.0, 0.2)),
        noise_sigma=int(rng.integers(1, 5)),
        jpeg_quality=0,
        blur_sigma_px=0.0,
    )


def tellable(script: Script, world: HouseholdWorld) -> bool:
    """Whether everything that the demo asks about a script can be seen in it, all the time."""
    moments = [
        frame_truth(script, t_s) for t_s in frame_times(_CHECKED_FPS, int(script.duration_s * _CHECKED_FPS))
    ]
    for truth in (truth for moment in moments for truth in moment):
        neck, foot = truth.joints["neck"][1], truth.joints["right_foot"][1]
        if truth.head_visible < _MIN_HEAD_SEEN or neck + _KNEES * (foot - neck) > HEIGHT_PX - _EDGE_PX:
            return False
    identities = {member.person_id: member.identity for member in world.everybody()}
    for who, sight in sights_of(script, moments).items():
        others = [identity for other, identity in identities.items() if other != who]
        apart = all(decidable(sight.traits, differing_traits(identities[who], other)) for other in others)
        clear = recognisable(sight.traits) and apart
        if not clear or min(sight.action_share, sight.top_share) < _MIN_SHARE:
            return False
    return True
