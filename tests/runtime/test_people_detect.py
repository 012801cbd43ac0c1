"""Claims about the way from the vision engine's `people` output to boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec
from runtime.people.detect import MAX_PEOPLE, MIN_SCORE, find_people, overlap, stray_parts

SPEC = PixelSpec()
WIDTH, HEIGHT = 640, 480
sizes = st.floats(0.5, 100)
boxes = st.tuples(st.floats(-50, 150), st.floats(-50, 150), sizes, sizes)
Row = tuple[float, ...]


def person(logit: float, x: float, y: float, side: float = 0.1) -> Row:
    """Head centred at (x, y), body below it; fractions of the vision input."""
    return (logit, x, y, side, side, x - side, y - side, x + side, y + 4 * side)


def output(*rows: Row) -> NDArray[np.float32]:
    nobody = (-9.0, 0.5, 0.5, 0.1, 0.1, 0.4, 0.4, 0.6, 0.6)
    return np.array([*rows, *[nobody] * (48 - len(rows))], dtype=np.float32)


def test_boxes_come_out_in_pixels_of_the_frame() -> None:
    (found,) = find_people(output(person(4.0, 0.5, 0.25)), WIDTH, HEIGHT, SPEC)
    assert found.head == pytest.approx((288, 96, 64, 48), abs=0.01)
    assert found.body == pytest.approx((256, 72, 128, 240), abs=0.01)
    assert found.score == pytest.approx(1 / (1 + np.exp(-4.0)))


def test_in_a_letterboxed_frame_boxes_are_moved_with_the_bands() -> None:
    (found,) = find_people(output(person(4.0, 0.5, 0.5)), 640, 240, SPEC)
    assert found.head[1] + found.head[3] / 2 == pytest.approx(120, abs=0.01)


def test_an_empty_room_has_nobody_in_it() -> None:
    assert find_people(output(), WIDTH, HEIGHT, SPEC) == []
    assert find_people(output(person(-0.01, 0.5, 0.5)), WIDTH, HEIGHT, SPEC) == []


def test_one_person_seen_by_two_cells_is_counted_once_with_the_better_box() -> None:
    found = find_people(output(person(1.0, 0.5, 0.5), person(3.0, 0.51, 0.5)), WIDTH, HEIGHT, SPEC)
    assert len(found) == 1
    assert found[0].head[0] + found[0].head[2] / 2 == pytest.approx(0.51 * WIDTH, abs=0.01)


def test_two_people_side_by_side_stay_two() -> None:
    found = find_people(output(person(2.0, 0.4, 0.5), person(3.0, 0.5, 0.5)), WIDTH, HEIGHT, SPEC)
    assert len(found) == 2


def test_of_more_than_four_people_the_surest_four_are_kept_best_first() -> None:
    rows = [person(float(index + 1), 0.1 + 0.15 * index, 0.5) for index in range(6)]
    found = find_people(output(*rows), WIDTH, HEIGHT, SPEC)
    scores = [one.score for one in found]
    assert len(found) == MAX_PEOPLE and scores == sorted(scores, reverse=True)
    assert scores[-1] == pytest.approx(1 / (1 + np.exp(-3.0)))


def with_parts(people: NDArray[np.float32], *cells: int) -> NDArray[np.float32]:
    logits = np.full((len(people), 1), -4.0, dtype=np.float32)
    logits[list(cells)] = 4.0
    return np.concatenate([people, logits], axis=1)


def test_part_of_a_body_near_no_head_is_somebody_hidden() -> None:
    left = person(4.0, 0.2, 0.3)
    assert stray_parts(with_parts(output(left), 3 * 8 + 6), rows=6) == 1
    assert stray_parts(with_parts(output(), 3 * 8 + 1, 3 * 8 + 6), rows=6) == 2


def test_part_of_the_body_below_a_found_head_hides_nobody() -> None:
    left = person(4.0, 0.2, 0.3)
    assert stray_parts(with_parts(output(left), 3 * 8 + 1), rows=6) == 0
    assert stray_parts(with_parts(output(person(-4.0, 0.2, 0.3)), 3 * 8 + 1), rows=6) == 1


def test_what_hangs_together_with_a_found_body_is_its_own() -> None:
    left = person(4.0, 0.2, 0.3)
    broom = [3 * 8 + 2, 3 * 8 + 3, 3 * 8 + 4, 4 * 8 + 5]
    assert stray_parts(with_parts(output(left), *broom), rows=6) == 0
    assert stray_parts(with_parts(output(left), *broom[:1], *broom[2:]), rows=6) == 2


def test_engine_that_tells_no_parts_hides_nobody() -> None:
    assert stray_parts(output(), rows=6) == 0


def test_a_head_without_size_is_nobody() -> None:
    assert find_people(output((9.0, 0.5, 0.5, 0.0, 0.1, 0.4, 0.4, 0.6, 0.9)), WIDTH, HEIGHT, SPEC) == []


def test_a_body_is_never_smaller_than_its_head() -> None:
    (found,) = find_people(output((5.0, 0.5, 0.5, 0.2, 0.2, 0.6, 0.6, 0.3, 0.3)), WIDTH, HEIGHT, SPEC)
    assert found.body[2] >= found.head[2] - 0.01 and found.body[3] >= found.head[3] - 0.01


@given(st.lists(st.tuples(*[st.floats(-100, 100, width=32)] * 9), min_size=1, max_size=12))
def test_whatever_the_engine_says_people_are_few_sure_and_apart(rows: list[Row]) -> None:
    found = find_people(np.array(rows, dtype=np.float32), WIDTH, HEIGHT, SPEC)
    assert len(found) <= MAX_PEOPLE
    assert all(one.score >= MIN_SCORE and one.head[2] > 0 and one.head[3] > 0 for one in found)
    for index, one in enumerate(found):
        assert all(overlap(one.head, other.head) < 0.36 for other in found[:index])


@given(boxes, boxes)
def test_overlap_is_a_share_and_the_same_both_ways(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> None:
    assert 0 <= overlap(a, b) <= 1 + 1e-9
    assert overlap(a, b) == pytest.approx(overlap(b, a))
    assert overlap(a, a) == pytest.approx(1)


def test_overlap_of_known_boxes() -> None:
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0.0
    assert overlap((0, 0, 10, 10), (2, 2, 5, 5)) == pytest.approx(0.25)
