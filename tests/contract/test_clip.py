"""Claims about clips and which of their frames are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.clip import Clip, even_indices, window_indices, window_starts
from runtime.contract.errors import ContentError

counts = st.integers(1, 5000)
rates = st.sampled_from([1.0, 5.0, 7.5, 10.0, 12.0, 15.0, 24.0, 25.0, 29.97, 30.0, 59.94, 60.0])
windows = st.integers(1, 16)
window_rates = st.sampled_from([0.5, 1.0, 2.0, 4.0, 5.0, 8.0])


@given(counts, rates, windows, window_rates)
def test_a_window_has_its_length_and_runs_forward_inside_the_clip(
    count: int, fps: float, length: int, window_fps: float
) -> None:
    indices = window_indices(count, fps, length, window_fps)
    assert len(indices) == length
    assert indices == sorted(indices)
    assert indices[0] >= 0 and indices[-1] <= count - 1


@given(counts, rates, windows, window_rates)
def test_the_newest_frame_of_a_window_is_within_one_grid_step_of_the_end(
    count: int, fps: float, length: int, window_fps: float
) -> None:
    newest = window_indices(count, fps, length, window_fps)[-1]
    assert count - 1 - newest <= fps / window_fps + 0.5


@given(counts, rates, windows, window_rates)
def test_window_frames_lie_on_one_grid_whatever_the_length_of_the_clip(
    count: int, fps: float, length: int, window_fps: float
) -> None:
    step = fps / window_fps
    grid = {round(index * step) for index in range(int(count / step) + 2)}
    assert set(window_indices(count, fps, length, window_fps)) <= grid | {0, count - 1}


@given(counts, st.integers(0, 60), windows)
def test_a_longer_clip_keeps_the_frames_that_both_windows_hold(count: int, more: int, length: int) -> None:
    """So a frame is encoded once, however often somebody asks."""
    before = window_indices(count, 30.0, length, 4.0)
    after = window_indices(count + more, 30.0, length, 4.0)
    assert {index for index in before if index >= after[0]} <= set(after)


def test_a_clip_that_is_too_short_repeats_its_first_frame() -> None:
    assert window_indices(16, 30.0, 6, 4.0) == [0, 0, 0, 0, 8, 15]
    assert window_indices(1, 30.0, 4, 4.0) == [0, 0, 0, 0]


@given(counts, st.integers(1, 64))
def test_even_frames_run_forward_and_mirror_the_clip(count: int, wanted: int) -> None:
    indices = even_indices(count, wanted)
    assert len(indices) == wanted
    assert indices == sorted(indices)
    assert 0 <= indices[0] <= indices[-1] <= count - 1
    for early, late in zip(indices, reversed(indices), strict=True):
        assert abs(early + late - (count - 1)) <= 1


@given(st.integers(1, 64), st.integers(0, 5000))
def test_even_frames_are_all_different_when_the_clip_has_enough(wanted: int, spare: int) -> None:
    assert len(set(even_indices(wanted + spare, wanted))) == wanted


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 4, 4, 3), dtype=np.float32),
        np.zeros((4, 4, 3), dtype=np.uint8),
        np.zeros((2, 4, 4, 4), dtype=np.uint8),
        np.zeros((0, 4, 4, 3), dtype=np.uint8),
    ],
    ids=["float", "one frame", "four channels", "no frame"],
)
def test_frames_that_are_no_rgb_video_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(ContentError, match="uint8 frames"):
        Clip(frames, 25.0)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan")])
def test_a_frame_rate_that_is_not_above_zero_is_refused(fps: float) -> None:
    with pytest.raises(ContentError, match="frame rate"):
        Clip(np.zeros((1, 2, 2, 3), dtype=np.uint8), fps)


def test_duration_follows_from_frames_and_rate() -> None:
    assert Clip(np.zeros((50, 2, 2, 3), dtype=np.uint8), 25.0).duration_s == 2.0


@given(counts, windows)
def test_windows_cover_a_whole_clip_with_as_few_as_can(count: int, length: int) -> None:
    starts = window_starts(count, length)
    covered = {frame for start in starts for frame in range(start, start + length)}
    assert covered >= set(range(count))
    assert starts == sorted(set(starts))
    assert len(starts) == -(-count // length)
    assert starts[-1] + length == max(count, length)
