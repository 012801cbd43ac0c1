"""Claims about the person tokens that the bridge gets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.pixels import PixelSpec
from runtime.people.tokens import GEOM, person_tokens
from runtime.people.views import PersonTokens, PersonView

SPEC = PixelSpec()
WIDTH, HEIGHT, CAPACITY, E = 640, 480, 8, 4


def view(track: int, frame: int, x: float = 320.0, quality: float = 0.8, source: str = "head") -> PersonView:
    """A head of 64 x 48 px centred at (x, 240); looks are 0.25 s apart."""
    unit = np.zeros(E, dtype=np.float32)
    unit[track % E] = 1.0
    head = (x - 32, 216.0, 64.0, 48.0)
    return PersonView(frame, frame / 4, track, head, head, unit, quality, source)  # type: ignore[arg-type]


def pack(*views: PersonView, capacity: int = CAPACITY) -> PersonTokens:
    return person_tokens(views, frame_width=WIDTH, frame_height=HEIGHT, spec=SPEC, capacity=capacity, width=E)


def test_one_view_fills_the_twelve_numbers_as_documented() -> None:
    tokens = pack(view(2, 4, quality=0.5))
    assert tokens.geom.shape == (CAPACITY, GEOM) and tokens.geom.dtype == np.float32
    expected = [0.5, 0.5, 0.1, 0.1, 0.5, 0, 0, 0.5, 1, 0, 0.25, 1]
    np.testing.assert_allclose(tokens.geom[0], expected, atol=1e-6)
    np.testing.assert_array_equal(tokens.embed[0], [0, 0, 1, 0])


def test_rows_without_a_view_are_all_zero_and_not_valid() -> None:
    tokens = pack(view(0, 0), view(0, 1))
    np.testing.assert_array_equal(tokens.valid, [1, 1, 0, 0, 0, 0, 0, 0])
    assert not tokens.embed[2:].any() and not tokens.geom[2:].any()
    assert tokens.valid.dtype == tokens.embed.dtype == np.float32


def test_nobody_gives_tokens_of_full_size_that_are_all_zero() -> None:
    tokens = pack()
    assert tokens.embed.shape == (CAPACITY, E) and tokens.views == ()
    assert not (tokens.embed.any() or tokens.geom.any() or tokens.valid.any())


def test_velocity_is_in_frames_widths_a_second_and_only_along_one_track() -> None:
    tokens = pack(view(0, 0, x=64), view(0, 2, x=128), view(1, 3, x=600))
    np.testing.assert_allclose(tokens.geom[:3, 5], [0, 0.1 / 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(tokens.geom[:3, 6], 0, atol=1e-6)


def test_signs_travel_with_their_view_within_bounds_and_are_zero_where_nothing_was_told() -> None:
    told = replace(view(0, 0), signs=np.array([3.0, -40.0, 99.0], dtype=np.float32))
    tokens = person_tokens(
        [told, view(1, 1)], frame_width=WIDTH, frame_height=HEIGHT, spec=SPEC, capacity=4, width=E, signs=3
    )
    np.testing.assert_array_equal(tokens.signs, [[3, -12, 12], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert pack(told).signs.shape == (CAPACITY, 0)


def test_the_source_of_an_embedding_is_marked() -> None:
    tokens = pack(view(0, 0, source="head"), view(1, 0, source="face"))
    np.testing.assert_array_equal(tokens.geom[:2, 8:10], [[1, 0], [0, 1]])


def test_time_beyond_the_window_is_its_end() -> None:
    assert pack(view(0, 400)).geom[0, 7] == 1.0


def test_of_too_many_views_the_best_are_kept() -> None:
    views = [view(0, index, quality=index / 10) for index in range(10)]
    tokens = pack(*views, capacity=3)
    assert [one.frame for one in tokens.views] == [7, 8, 9]
    assert tokens.valid.all()


qualities = st.floats(0, 1, width=32)
some_views = st.lists(
    st.builds(view, st.integers(0, 5), st.integers(0, 7), st.floats(0, 640), qualities),
    max_size=12,
    unique_by=lambda one: (one.track, one.frame),
)


@given(some_views, st.randoms(use_true_random=False))
def test_the_order_of_views_does_not_matter(views: list[PersonView], random: object) -> None:
    if len({one.quality for one in views}) < len(views):
        return  # which of two equal ones is left out may depend on their order
    shuffled = list(views)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = pack(*views), pack(*shuffled)
    np.testing.assert_array_equal(first.geom, second.geom)
    np.testing.assert_array_equal(first.embed, second.embed)


@given(some_views)
def test_every_valid_row_is_the_view_it_names(views: list[PersonView]) -> None:
    tokens = pack(*views)
    assert int(tokens.valid.sum()) == len(tokens.views) == min(len(views), CAPACITY)
    assert list(tokens.views) == sorted(tokens.views, key=lambda one: (one.track, one.frame))
    assert np.isfinite(tokens.geom).all()
    for row, one in enumerate(tokens.views):
        np.testing.assert_array_equal(tokens.embed[row], one.embedding)
        assert tokens.geom[row, 4] == pytest.approx(one.quality)
        assert tokens.geom[row, 0] == pytest.approx((one.head[0] + 32) / WIDTH, abs=1e-6)
