"""Tracks to people: joined when they look alike, cut when they jump, never two at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.people.cluster import join_tracks, split_tracks, spread_views
from runtime.people.views import PersonView

BOX = (0.0, 0.0, 10.0, 10.0)


def view(track: int, frame: int, angle: float, quality: float = 0.9) -> PersonView:
    unit = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    return PersonView(frame, frame / 4, track, BOX, BOX, unit, quality, "head")


def apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1.0 - a @ b.T, dtype=np.float32)


def test_somebody_who_leaves_and_returns_keeps_the_number() -> None:
    joined = join_tracks([view(0, 0, 0.0), view(1, 3, 2.0), view(2, 8, 0.1)], apart, 0.3)
    assert [(one.frame, one.track) for one in joined] == [(0, 0), (3, 1), (8, 0)]


def test_two_lookalikes_in_one_frame_stay_two_people() -> None:
    joined = join_tracks([view(0, 4, 0.0), view(1, 4, 0.0), view(2, 9, 0.0)], apart, 0.3)
    assert len({one.track for one in joined if one.frame == 4}) == 2


def test_a_track_that_jumps_to_somebody_else_is_cut_there() -> None:
    cut = split_tracks([view(0, 0, 0.0), view(0, 1, 0.2), view(0, 2, 3.0), view(0, 3, 3.1)], apart, 0.8)
    numbers = [one.track for one in sorted(cut, key=lambda one: one.frame)]
    assert numbers == [0, 0, 1, 1]


def test_a_slow_turn_is_not_a_jump() -> None:
    turning = [view(0, step, step * 0.5) for step in range(7)]
    assert {one.track for one in split_tracks(turning, apart, 0.8)} == {0}


def test_kept_views_are_the_best_and_then_the_most_different() -> None:
    views = [view(0, 0, 0.0, 0.5), view(0, 1, 0.1, 0.9), view(0, 2, 1.5, 0.8), view(0, 3, 3.0, 0.01)]
    assert [one.frame for one in spread_views(views, 2)] == [1, 2]
    assert len(spread_views(views, 99)) == 4
    assert spread_views([], 4) == []


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.floats(0, 6.3)), max_size=14),
    st.floats(0.01, 1.9),
)
def test_no_view_is_lost_and_nobody_is_twice_in_a_frame(
    rows: list[tuple[int, int, float]], limit: float
) -> None:
    once = {(track, frame): angle for track, frame, angle in rows}
    views = [view(track, frame, angle) for (track, frame), angle in once.items()]
    joined = join_tracks(split_tracks(views, apart, 0.8), apart, limit)
    assert sorted(one.frame for one in joined) == sorted(one.frame for one in views)
    assert len({(one.track, one.frame) for one in joined}) == len(joined)
    assert {one.track for one in joined} == set(range(len({one.track for one in joined})))
