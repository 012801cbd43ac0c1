"""Claims about the light that enrolment reports. Frames are painted: a head of two tones in a room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.serving import PeopleNearest
from runtime.people.views import PersonView
from runtime.session.advice import hints
from runtime.session.light import light_of

HEAD = (60.0, 30.0, 40.0, 50.0)
EMBEDDING = np.eye(1, 8, dtype=np.float32)[0]
VIEW = PersonView(0, 0.0, 0, HEAD, HEAD, EMBEDDING, 0.9, "head")


def frames(
    skin: tuple[int, int, int], hair: tuple[int, int, int], wall: tuple[int, int, int]
) -> NDArray[Any]:
    picture = np.empty((1, 120, 160, 3), dtype=np.uint8)
    picture[:] = wall
    picture[:, 30:50, 60:100] = hair
    picture[:, 50:80, 60:100] = skin
    return picture


DAY = frames((200, 160, 140), (60, 40, 30), (150, 120, 90))


@pytest.mark.parametrize(
    ("picture", "light"),
    [
        (DAY, "good"),
        (frames((110, 75, 55), (25, 20, 18), (210, 190, 150)), "good"),
        ((DAY * 0.15).astype(np.uint8) + np.array([12, 6, 0], dtype=np.uint8), "dark"),
        (frames((60, 50, 45), (35, 28, 25), (250, 240, 225)), "backlit"),
        (frames((255, 255, 252), (140, 120, 90), (150, 120, 90)), "glaring"),
        (frames((150, 150, 152), (70, 70, 70), (90, 91, 90)), "colourless"),
    ],
)
def test_light_is_told(picture: NDArray[np.uint8], light: str) -> None:
    assert light_of([(picture, [VIEW])]) == light


def test_most_views_decide_and_a_head_outside_the_picture_is_no_error() -> None:
    dark = frames((40, 30, 25), (20, 15, 10), (60, 45, 30))
    outside = PersonView(0, 0.0, 0, (500.0, 500.0, 20.0, 20.0), HEAD, EMBEDDING, 0.9, "head")
    assert light_of([(DAY, [VIEW, VIEW]), (dark, [VIEW])]) == "good"
    assert light_of([(dark, [VIEW, VIEW]), (DAY, [outside])]) == "dark"


def test_each_bad_light_has_its_advice_and_good_light_none() -> None:
    kept = [VIEW] * 6
    said = {light: hints(kept, 0.9, light, None, "face") for light in ("good", "dark", "backlit", "glaring")}
    assert "more light" in said["dark"][0]
    assert "face the window" in said["backlit"][0]
    assert "too hard" in said["glaring"][0]
    assert not any("light" in hint for hint in said["good"])
    near = hints(kept, 0.2, "colourless", PeopleNearest("x", 0.97), "face")
    assert [hint.split()[0] for hint in near] == ["the", "the", "all", "high"]
