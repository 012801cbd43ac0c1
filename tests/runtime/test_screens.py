"""Claims about faces on a screen; real ones are composed in `test_real_people`."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.contract.pixels import Box
from runtime.people.bodies import Body
from runtime.people.screens import on_screens, rim_runs_on
from runtime.people.views import PersonView

Frame = NDArray[np.uint8]
SCREEN: Box = (200.0, 100.0, 400.0, 225.0)
FACE: Box = (360.0, 150.0, 80.0, 80.0)
NOISE = np.random.default_rng(0).normal(0, 4, (480, 800))


def room(*, slope: float = 0.0, rim: int = 20, cover: tuple[int, int] | None = None) -> Frame:
    """A wall with a screen, its lower end falling by `slope` of its height, covered between two columns."""
    grey = np.full((480, 800), 180.0)
    x, y, w, h = (int(value) for value in SCREEN)
    fall = round(slope * h / 2)
    corners = [(x - 8, y - 8), (x + w + 8, y - 8), (x + w + 8, y + h + 8 + fall), (x - 8, y + h + 8 - fall)]
    cv2.fillPoly(grey, [np.array(corners, dtype=np.int32)], (float(rim),))
    inner = [(x, y), (x + w, y), (x + w, y + h + fall), (x, y + h - fall)]
    cv2.fillPoly(grey, [np.array(inner, dtype=np.int32)], (110.0,))
    if cover is not None:
        grey[y + 60 :, cover[0] : cover[1]] = 90
    picture = np.clip(grey + NOISE, 0, 255).astype(np.uint8)
    return np.stack([picture] * 3, axis=-1)


def face(look: int, box: Box = FACE) -> PersonView:
    return PersonView(look, look / 4, 0, box, box, np.zeros(128, dtype=np.float32), 0.8, "face")


def found(frame: Frame, *, screens: Sequence[Sequence[Box]] | None = None, body: Box | None = None) -> bool:
    """Whether the face is said to be on a screen, in three looks at the same scene."""
    bodies = [] if body is None else [Body(((0, body), (1, body)), frozenset([0]))]
    seen = [[SCREEN]] * 3 if screens is None else screens
    return on_screens([frame] * 3, [face(0), face(1), face(2)], bodies, seen) == {0}


@pytest.mark.parametrize("rim", [20, 60, 230])
@pytest.mark.parametrize("slope", [-0.12, 0.0, 0.12])
def test_a_face_within_a_whole_screen_is_on_it_seen_straight_or_from_the_side(slope: float, rim: int) -> None:
    assert found(room(slope=slope, rim=rim))
    assert found(room(slope=slope, rim=rim), body=(330.0, 130.0, 140.0, 190.0))


@given(st.integers(60, 200), st.integers(-60, 60))
def test_somebody_who_covers_the_rim_below_the_face_stands_before_the_screen(width: int, aside: int) -> None:
    middle = int(FACE[0] + FACE[2] / 2) + aside // 3
    assert not found(room(cover=(middle - width // 2, middle + width // 2)))


def test_a_lamp_before_the_rim_beside_the_face_changes_nothing() -> None:
    assert found(room(cover=(220, 260)))


def test_a_body_that_reaches_beyond_the_screen_stands_before_it() -> None:
    assert not found(room(), body=(330.0, 130.0, 140.0, 330.0))


def test_a_wall_without_a_rim_is_no_screen_whatever_a_detector_says() -> None:
    wall = np.full((480, 800, 3), 150, dtype=np.uint8)
    assert not rim_runs_on(np.full((480, 800), 150, dtype=np.float32), SCREEN, FACE)
    assert not found(wall)


def test_a_screen_is_found_in_the_same_place_again() -> None:
    assert found(room(), screens=[[SCREEN], [], [SCREEN]])
    assert not found(room(), screens=[[SCREEN], [], []])
    away = (20.0, 100.0, 300.0, 225.0)
    assert not found(room(), screens=[[SCREEN], [away], [(450.0, 10.0, 300.0, 200.0)]])


def test_somebody_who_is_seen_beside_the_screen_too_is_not_on_it() -> None:
    views = [face(0), face(1), face(2, (620.0, 150.0, 80.0, 80.0))]
    assert on_screens([room()] * 3, views, [], [[SCREEN]] * 3) == frozenset()


def test_without_a_screen_or_a_face_nobody_is_on_one() -> None:
    assert on_screens([room()], [], [], [[SCREEN]]) == frozenset()
    assert on_screens([room()] * 3, [face(0)], [], [[], [], []]) == frozenset()
