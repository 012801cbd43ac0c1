"""Claims about the light on rendered people: nobody's own colour is called bad light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from runtime.people.views import PersonView
from runtime.session.light import Light, light_of
from train.world.sample import sample_script
from train.world.scene import render_frames
from train.world.traits import TRAITS, sample_identity

EMBEDDING = np.zeros(4, dtype=np.float32)


def lights(skin: str, night: bool, count: int = 3) -> list[Light]:
    found: list[Light] = []
    for number in range(count):
        rng = np.random.default_rng((11, number))
        who = replace(sample_identity(rng, "train"), skin_tone=skin)
        script = sample_script(
            rng, people=[who], night=night, hidden=False, foreground=False, head_px=(40.0, 60.0)
        )
        frames, moments = render_frames(script, [0.0, 1.0])
        views = [
            PersonView(index, float(index), 0, truth.head_box, truth.head_box, EMBEDDING, 0.9, "head")
            for index, truths in enumerate(moments)
            for truth in truths
        ]
        found.append(light_of([(frames, views)]))
    return found


@pytest.mark.parametrize("skin", TRAITS["skin_tone"].values)
def test_no_skin_is_called_dark_by_day(skin: str) -> None:
    assert set(lights(skin, night=False)) == {"good"}


def test_infrared_is_colourless_for_every_skin() -> None:
    assert {light for skin in TRAITS["skin_tone"].values for light in lights(skin, True, 1)} == {"colourless"}
