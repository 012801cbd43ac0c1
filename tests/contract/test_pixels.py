"""Claims about resizing and cropping, the code that training and the box share."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.contract.pixels import (
    PixelSpec,
    from_letterbox,
    letterbox,
    normalise,
    resample,
    to_crop,
    to_letterbox,
    to_vision_input,
)

SPEC = PixelSpec()
sides = st.integers(1, 200)
places = st.floats(-50, 250)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_the_whole_frame_at_its_own_size_is_the_frame(height: int, width: int, seed: int) -> None:
    frame = noise(height, width, seed)
    np.testing.assert_allclose(resample(frame, (0, 0, width, height), width, height), frame, atol=1e-3)


@given(st.integers(1, 60), st.integers(1, 60), sides, sides, st.integers(0, 255))
def test_a_frame_of_one_colour_stays_that_colour_at_any_size(
    height: int, width: int, out_width: int, out_height: int, level: int
) -> None:
    frame = np.full((height, width, 3), level, dtype=np.uint8)
    out = resample(frame, (0, 0, width, height), out_width, out_height)
    assert out.shape == (out_height, out_width, 3) and out.dtype == np.float32
    np.testing.assert_allclose(out, level, atol=1e-2)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_halving_agrees_with_averaging_areas_up_to_the_wider_filter(
    rows: int, columns: int, seed: int
) -> None:
    """OpenCV averages blocks, we weigh neighbours too: on a smooth picture both give the same."""
    y, x = np.mgrid[0 : rows * 2, 0 : columns * 2]
    slope = np.random.default_rng(seed).uniform(0, 3, 2)
    plane = (x * slope[0] + y * slope[1]).clip(0, 255)
    frame = np.repeat(plane[..., None], 3, axis=2).astype(np.uint8)
    ours = resample(frame, (0, 0, columns * 2, rows * 2), columns, rows)[1:-1, 1:-1]
    theirs = cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA)[1:-1, 1:-1]
    np.testing.assert_allclose(ours, theirs.reshape(ours.shape), atol=1.5)


def test_halving_removes_what_is_finer_than_a_pixel() -> None:
    """A checkerboard of single pixels is grey at half its size; picking every second pixel would keep it."""
    board = ((np.indices((64, 64)).sum(axis=0) % 2) * 255).astype(np.uint8)
    frame = np.repeat(board[..., None], 3, axis=2)
    inner = resample(frame, (0, 0, 64, 64), 32, 32)[1:-1, 1:-1]
    np.testing.assert_allclose(inner, 127.5, atol=1.0)


@given(st.integers(2, 40), st.integers(2, 40), places, places, st.floats(-3, 300), st.floats(-3, 300))
@settings(max_examples=200)
def test_any_box_gives_finite_pixels_between_black_and_white(
    height: int, width: int, x: float, y: float, w: float, h: float
) -> None:
    out = resample(noise(height, width), (x, y, w, h), 7, 5)
    assert out.shape == (5, 7, 3)
    assert np.isfinite(out).all() and out.min() >= 0 and out.max() <= 255.01


@pytest.mark.parametrize("box", [(100, 0, 20, 20), (-40, -40, 20, 20), (0, 90, 20, 20), (1e6, 0, 8, 8)])
def test_a_box_outside_the_frame_is_black(box: tuple[float, float, float, float]) -> None:
    frame = np.full((40, 50, 3), 255, dtype=np.uint8)
    assert resample(frame, box, 6, 6).max() == 0


def test_the_part_of_a_box_beyond_the_border_is_black_and_the_rest_is_not() -> None:
    frame = np.full((40, 40, 3), 200, dtype=np.uint8)
    out = resample(frame, (-20, 0, 40, 40), 40, 40)
    assert out[:, :19].max() == 0
    np.testing.assert_allclose(out[:, 21:], 200, atol=1e-2)


def test_a_box_cuts_where_it_says() -> None:
    frame = noise(30, 30)
    np.testing.assert_allclose(resample(frame, (4, 6, 10, 8), 10, 8), frame[6:14, 4:14], atol=1e-3)


@given(st.integers(2, 4000), st.integers(2, 4000))
def test_the_letterbox_holds_the_whole_frame_in_its_middle(width: int, height: int) -> None:
    left, top, w, h = letterbox(width, height, SPEC)
    assert left <= 1e-6 and top <= 1e-6
    assert left + w >= width - 1e-6 and top + h >= height - 1e-6
    assert w / h == pytest.approx(SPEC.width / SPEC.height)
    assert left + w / 2 == pytest.approx(width / 2) and top + h / 2 == pytest.approx(height / 2)


@given(st.integers(2, 4000), st.integers(2, 4000), places, places, st.floats(1, 300), st.floats(1, 300))
def test_a_box_survives_the_letterbox_and_back(
    width: int, height: int, x: float, y: float, w: float, h: float
) -> None:
    there = to_letterbox((x, y, w, h), width, height, SPEC)
    assert from_letterbox(there, width, height, SPEC) == pytest.approx((x, y, w, h), abs=1e-6)


def test_the_whole_vision_input_is_the_whole_letterbox() -> None:
    assert from_letterbox((0, 0, 1, 1), 640, 360, SPEC) == pytest.approx(letterbox(640, 360, SPEC))


def test_a_wide_frame_has_black_bands_above_and_below_in_the_vision_input() -> None:
    pixels = to_vision_input(np.full((2, 90, 320, 3), 255, dtype=np.uint8), SPEC)
    assert pixels.shape == (2, 3, SPEC.height, SPEC.width) and pixels.dtype == np.float32
    mean = np.asarray(SPEC.mean)[:, None]
    std = np.asarray(SPEC.std)[:, None]
    np.testing.assert_allclose(pixels[0, :, 0], np.broadcast_to(-mean / std, (3, SPEC.width)), atol=1e-4)
    middle = pixels[1, :, SPEC.height // 2]
    np.testing.assert_allclose(middle, np.broadcast_to((1 - mean) / std, (3, SPEC.width)), atol=1e-4)


@given(st.floats(0, 100), st.floats(0, 100), st.floats(4, 60), st.floats(4, 60))
def test_a_head_crop_is_square_and_centred_on_the_head(x: float, y: float, w: float, h: float) -> None:
    frame = np.zeros((200, 200, 3), dtype=np.uint8)
    cx, cy = int(x + w / 2), int(y + h / 2)
    frame[cy - 1 : cy + 2, cx - 1 : cx + 2] = 255
    crop = to_crop(frame, (x, y, w, h), SPEC)
    assert crop.shape == (SPEC.crop, SPEC.crop, 3)
    rows, columns = np.indices(crop.shape[:2]) + 0.5
    mass = crop[..., 0] / crop[..., 0].sum()
    pixel = SPEC.crop / (max(w, h) * SPEC.crop_margin)
    for found in ((mass * rows).sum(), (mass * columns).sum()):
        assert abs(float(found) - SPEC.crop / 2) <= pixel + 1


@given(
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["float32", "float64", "uint8"]),
)
def test_normalising_by_planes_gives_the_bits_of_the_formula(n: int, h: int, w: int, dtype: str) -> None:
    rng = np.random.default_rng(h * 41 + w)
    pixels = (rng.uniform(0, 255, (n, h, w, 3))).astype(dtype)
    mean, std = (np.asarray(values, dtype=np.float32) * 255 for values in (SPEC.mean, SPEC.std))
    formula = ((pixels - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    assert normalise(pixels, SPEC).tobytes() == np.ascontiguousarray(formula).tobytes()


def test_normalising_is_undone_by_its_own_numbers() -> None:
    crops = noise(8, 8)[None].astype(np.float32)
    flat = normalise(crops, SPEC).transpose(0, 2, 3, 1)
    back = (flat * np.asarray(SPEC.std) + np.asarray(SPEC.mean)) * 255
    np.testing.assert_allclose(back, crops, atol=1e-3)
    assert normalise(crops, SPEC).flags.c_contiguous
