"""Claims about finding and embedding the people of a window; the encoders are simple sums."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec
from runtime.people.stream import HeadLook, corrected, head_views, without_doubles
from runtime.people.views import PersonView, views_within

SPEC = PixelSpec()
WIDTH, HEIGHT, CELLS = 384, 288, 48
Floats = NDArray[np.float32]


def picture(cx: float, cy: float, size: float) -> NDArray[np.uint8]:
    """One white square on black, as the only head."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    inside = (abs(columns - cx) < size / 2) & (abs(rows - cy) < size / 2)
    return np.repeat((inside * 255).astype(np.uint8)[..., None], 3, axis=2)


def detected(cx: float, cy: float, size: float) -> Floats:
    """The vision engine's `people` for one head with this box."""
    people = np.full((1, CELLS, 9), -9.0, dtype=np.float32)
    box = (cx / WIDTH, cy / HEIGHT, size / WIDTH, size / HEIGHT)
    people[0, 20] = (5.0, *box, 0.1, 0.1, 0.9, 0.9)
    return people


def centroid(crops: Floats) -> HeadLook:
    """An encoder that sees where the white square is: its embedding is the crop's own mean."""
    light = crops.mean(axis=1) - crops.min()
    weight = light / light.sum(axis=(1, 2), keepdims=True)
    steps = (np.arange(crops.shape[-1]) + 0.5) / crops.shape[-1] - 0.5
    right = (weight * steps[None, None, :]).sum(axis=(1, 2))
    down = (weight * steps[None, :, None]).sum(axis=(1, 2))
    share = (light > light.max() / 2).mean(axis=(1, 2))
    growth = np.log(np.sqrt(share) * SPEC.crop_margin)
    shift = np.stack([right, down, growth], axis=1).astype(np.float32)
    half = np.full((len(crops), 4), 0.5, dtype=np.float32)
    pose = np.full((len(crops), 3), 0.25, dtype=np.float32)
    return HeadLook(half, np.full(len(crops), 0.8, dtype=np.float32), shift, pose)


@pytest.mark.parametrize(("dx", "dy", "factor"), [(0, 0, 1.0), (5, -4, 1.0), (-6, 3, 1.15), (2, 3, 0.9)])
def test_an_inexact_box_is_corrected_by_what_the_crop_shows(dx: float, dy: float, factor: float) -> None:
    frames = picture(180, 120, 40)[None]
    (view,) = head_views(frames, [0.0], detected(180 + dx, 120 + dy, 40 * factor), SPEC, centroid)
    x, y, w, h = view.head
    assert (x + w / 2, y + h / 2) == pytest.approx((180, 120), abs=1.0)
    assert (w, h) == pytest.approx((40, 40), abs=2.5)


def test_embedding_and_quality_are_of_the_corrected_crop() -> None:
    calls: list[Floats] = []

    def embed(crops: Floats) -> HeadLook:
        calls.append(crops)
        number = np.full(len(crops), len(calls) / 4, dtype=np.float32)
        return replace(centroid(crops), embeddings=np.repeat(number[:, None], 4, axis=1), qualities=number)

    (view,) = head_views(picture(180, 120, 40)[None], [0.0], detected(188, 120, 40), SPEC, embed)
    assert len(calls) == 2 and view.quality == 0.5 and view.embedding[0] == 0.5
    off = [abs(float(centroid(crops).shifts[0, 0])) for crops in calls]
    assert off[1] < 0.2 * off[0]


def test_nobody_found_asks_the_encoder_for_nothing() -> None:
    def embed(crops: Floats) -> HeadLook:
        raise AssertionError("there is nothing to embed")

    people = np.full((1, CELLS, 9), -9.0, dtype=np.float32)
    assert head_views(picture(180, 120, 40)[None], [0.0], people, SPEC, embed) == []


def test_signs_are_of_the_body_below_the_corrected_head_with_the_heads_pose_behind() -> None:
    seen: list[Floats] = []

    def tell(crops: Floats) -> Floats:
        seen.append(crops)
        return np.full((len(crops), 5), 2.0, dtype=np.float32)

    (view,) = head_views(picture(180, 120, 40)[None], [0.0], detected(188, 120, 40), SPEC, centroid, tell)
    assert view.signs is not None
    assert view.signs.tolist() == [2.0] * 5 + [0.25] * 3
    (crop,) = np.concatenate(seen)
    assert crop.shape == (3, SPEC.body_height, SPEC.body_width)
    light = crop[0] > 0
    rows, columns = np.nonzero(light)
    _, above, below = SPEC.body_span
    assert (columns.mean() + 0.5) / SPEC.body_width == pytest.approx(0.5, abs=0.02)
    assert (rows.mean() + 0.5) / SPEC.body_height == pytest.approx(above / (above + below), abs=0.02)


@pytest.mark.parametrize(
    ("pose", "yaw"),
    [((0.0, 1.0, 0.3), 0.0), ((1.0, 0.0, 0.0), 90.0), ((0.0, -1.0, 0.0), 180.0), ((0.0, 0.1, 0.0), None)],
)
def test_yaw_is_read_from_the_pose_and_not_guessed_where_none_was_told(
    pose: tuple[float, ...], yaw: float | None
) -> None:
    box, none = (0.0, 0.0, 8.0, 8.0), np.ones(1, np.float32)
    signs = np.asarray((5.0, *pose), dtype=np.float32)
    view = PersonView(0, 0.0, 0, box, box, none, 0.8, "head", signs)
    assert view.yaw_deg == (None if yaw is None else pytest.approx(yaw))
    assert replace(view, signs=None).yaw_deg is None


def test_without_a_body_encoder_nothing_is_told() -> None:
    (view,) = head_views(picture(180, 120, 40)[None], [0.0], detected(180, 120, 40), SPEC, centroid)
    assert view.signs is None


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3))
def test_a_correction_never_leaves_the_neighbourhood_of_the_box(shift: list[float]) -> None:
    x, y, w, h = corrected((100, 100, 40, 50), np.asarray(shift, dtype=np.float32), SPEC)
    side = 50 * SPEC.crop_margin
    assert abs(x + w / 2 - 120) <= 0.3 * side + 1e-6 and abs(y + h / 2 - 125) <= 0.3 * side + 1e-6
    assert math.exp(-0.5) - 1e-6 <= w / 40 <= math.exp(0.5) + 1e-6 and w / h == pytest.approx(0.8)


def test_a_window_numbers_its_tracks_and_seconds_anew_and_remembers_the_clips() -> None:
    box = (0.0, 0.0, 8.0, 8.0)
    views = [
        PersonView(frame, frame / 4, track, box, box, np.ones(1, np.float32), 0.8, "head")
        for frame, track in ((3, 0), (4, 2), (5, 5), (5, 2), (9, 2))
    ]
    local, numbers = views_within(views, range(4, 8), 4.0)
    assert numbers == (2, 5)
    assert [(view.frame, view.track, view.t_s) for view in local] == [(4, 0, 0.0), (5, 1, 0.25), (5, 0, 0.25)]


def test_head_found_twice_in_one_frame_is_one_head_and_two_people_stay_two() -> None:
    def seen(frame: int, track: int, x: float, angle: float, quality: float) -> PersonView:
        embedding = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
        head = (x, 10.0, 40.0, 50.0)
        return PersonView(frame, float(frame), track, head, head, embedding, quality, "head")

    once = [seen(0, 0, 10.0, 0.0, 0.9), seen(1, 0, 12.0, 0.1, 0.8)]
    double, beside, other = seen(1, 1, 18.0, 0.2, 0.5), seen(1, 2, 60.0, 0.1, 0.7), seen(0, 3, 14.0, 1.5, 0.6)
    kept = without_doubles([*once, double, beside, other])
    assert double not in kept
    assert all(view in kept for view in (*once, beside, other))
