"""Claims about people found by their bodies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.pixels import Box
from runtime.people.persons import BOXES, SIDE, PersonFinder

_FIRST_OF_16 = (SIDE // 8) ** 2


def rows(*people: tuple[float, float, float, float, float], columns: int = 26) -> np.ndarray:
    """A network's output that says these people: centre x, y, width, height in its own pixels, a score."""
    out = np.zeros(BOXES, dtype=np.float32)
    for x, y, width, height, score in people:
        column, row = int(x // 16), int(y // 16)
        at = _FIRST_OF_16 + row * columns + column
        out[at, :4] = x / 16 - column, y / 16 - row, np.log(width / 16), np.log(height / 16)
        out[at, 4], out[at, 5] = 1.0, score
    return out


def find(output: np.ndarray, width: int = 640, height: int = 480) -> list[Box]:
    finder = PersonFinder(lambda pixels: output)
    return finder.find(np.zeros((height, width, 3), dtype=np.uint8)).people


@given(
    st.floats(60, 350), st.floats(60, 250), st.floats(20, 100), st.floats(20, 100),
    st.sampled_from([(640, 480), (1280, 720), (416, 416)]),
)  # fmt: skip
def test_a_box_comes_back_in_pixels_of_the_frame(
    x: float, y: float, width: float, height: float, frame: tuple[int, int]
) -> None:
    y = min(y, 416 * frame[1] / frame[0] - height / 2 - 1) if frame[0] != frame[1] else y
    scale = 416 / max(frame)
    (box,) = find(rows((x, y, width, height, 0.9)), *frame)
    wanted = ((x - width / 2) / scale, (y - height / 2) / scale, width / scale, height / scale)
    assert box == pytest.approx(wanted, abs=0.6 / scale)


def test_one_person_said_twice_is_one_and_a_doubtful_one_is_none() -> None:
    sure, again, doubtful = (200, 150, 60, 150, 0.9), (206, 152, 62, 148, 0.7), (60, 150, 50, 120, 0.3)
    assert len(find(rows(sure, again))) == 2 - 1
    assert find(rows(doubtful)) == []


@pytest.mark.parametrize("column", [5 + 62, 5 + 63, 5 + 67])
def test_televisions_laptops_and_telephones_are_screens_and_nobody(column: int) -> None:
    output = rows((200, 150, 120, 80, 0.9))
    output[:, [5, column]] = output[:, [column, 5]]
    sight = PersonFinder(lambda pixels: output).find(np.zeros((416, 416, 3), dtype=np.uint8))
    assert (sight.people, len(sight.screens)) == ([], 1)
    assert sight.screens[0] == pytest.approx((140, 110, 120, 80), abs=0.5)


def test_the_network_sees_the_frame_in_bgr_above_a_grey_rim() -> None:
    seen: list[np.ndarray] = []

    def run(pixels: np.ndarray) -> np.ndarray:
        seen.append(pixels)
        return rows()

    frame = np.zeros((480, 640, 3), dtype=np.uint8)
    frame[..., 0] = 200
    PersonFinder(run).find(frame)
    assert seen[0].shape == (1, 3, SIDE, SIDE)
    assert seen[0][0, :, 10, 10].tolist() == [0.0, 0.0, 200.0]
    assert seen[0][0, :, -1, 0].tolist() == [114.0] * 3
