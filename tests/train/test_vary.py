"""Claims about variations of a clip: what changes, what stays, and that who it is survives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.contract.errors import UsageError
from train.augment.vary.mix import VARIATIONS, vary
from train.augment.vary.motion import DRIVERS, Pose, warp_head
from train.augment.vary.shot import Floats, Frames, Shot
from train.world.sample import sample_script
from train.world.scene import render_frames
from train.world.traits import sample_identity

STILL_HEADS = {"brightness", "side_light", "colour", "infrared", "blur", "noise", "compression"}
MOVED_HEADS = {"crop", "distance", "view", "mirror"}


@pytest.fixture(scope="module")
def shot() -> Shot:
    rng = np.random.default_rng(5)
    script = sample_script(
        rng, people=[sample_identity(rng, "train")], night=False, hidden=False, foreground=False,
        head_px=(60.0, 62.0), facing_deg=0.0,
    )  # fmt: skip
    frames, truths = render_frames(script, [step / 4 for step in range(6)])
    return Shot(frames, np.array([moment[0].head_box for moment in truths], dtype=np.float32), 4.0)


def cut(frame: Frames, head: Floats) -> Frames:
    x, y, w, h = (round(float(value)) for value in head)
    return np.asarray(cv2.resize(frame[max(0, y) : y + h, max(0, x) : x + w], (32, 32)))


@pytest.mark.parametrize("name", VARIATIONS)
def test_shape_and_range_stay_and_the_seed_decides(shot: Shot, name: str) -> None:
    one, again, other = (VARIATIONS[name](shot, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.frames.shape == shot.frames.shape and one.frames.dtype == np.uint8
    assert np.array_equal(one.frames, again.frames) and np.array_equal(one.heads, again.heads)
    assert name == "mirror" or not np.array_equal(one.frames, other.frames)
    assert not np.array_equal(one.frames, shot.frames)


@pytest.mark.parametrize("name", sorted(STILL_HEADS))
def test_light_and_sensor_leave_the_head_where_it_is(shot: Shot, name: str) -> None:
    varied = VARIATIONS[name](shot, np.random.default_rng(3))
    assert np.array_equal(varied.heads, shot.heads)


@pytest.mark.parametrize("name", sorted(MOVED_HEADS))
def test_head_is_where_the_new_box_says(shot: Shot, name: str) -> None:
    for seed in range(6):
        varied = VARIATIONS[name](shot, np.random.default_rng(seed))
        expected = cut(shot.frames[0], shot.heads[0]).astype(float)
        if name == "mirror":
            expected = expected[:, ::-1]
        found = cut(varied.frames[0], varied.heads[0]).astype(float)
        inner = slice(6, 26)
        apart = np.abs(found - expected)[inner, inner].mean()
        wall = np.abs(cut(varied.frames[0], shot.heads[0] + [150, 0, 0, 0]) - expected)[inner, inner].mean()
        assert apart < min(30.0, wall), (name, seed)


def test_crop_keeps_the_head_in_the_picture_and_distance_keeps_it_large_enough(shot: Shot) -> None:
    width, height = shot.size
    for seed in range(20):
        rng = np.random.default_rng(seed)
        near = VARIATIONS["crop"](shot, rng).heads
        assert (near[:, :2] >= -1).all()
        assert (near[:, 0] + near[:, 2] <= width + 1).all() and (near[:, 1] + near[:, 3] <= height + 1).all()
        assert VARIATIONS["distance"](shot, rng).heads[:, 3].min() >= 23.9


def test_occlusion_leaves_most_of_the_head_as_it_was(shot: Shot) -> None:
    for seed in range(10):
        varied = VARIATIONS["occlusion"](shot, np.random.default_rng(seed))
        same = (cut(varied.frames[2], shot.heads[2]) == cut(shot.frames[2], shot.heads[2])).all(axis=2).mean()
        assert 0.5 <= same < 0.9


def test_other_clothes_and_another_wall_leave_the_face_alone(shot: Shot) -> None:
    for name in ("clothes", "background"):
        varied = VARIATIONS[name](shot, np.random.default_rng(3))
        x, y, w, h = (round(float(value)) for value in shot.heads[0])
        face = np.s_[0, y + h // 4 : y + 3 * h // 4, x + w // 3 : x + 2 * w // 3]
        assert np.abs(varied.frames[face].astype(int) - shot.frames[face]).mean() < 4
        assert np.abs(varied.frames[0].astype(int) - shot.frames[0]).mean() > 1


def test_infrared_has_no_colour(shot: Shot) -> None:
    frames = VARIATIONS["infrared"](shot, np.random.default_rng(3)).frames.astype(int)
    assert (frames.max(axis=-1) - frames.min(axis=-1)).max() == 0


@given(seed=st.integers(0, 10_000), count=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_time_never_runs_backwards_and_no_moment_is_made_up(seed: int, count: int) -> None:
    frames = np.repeat(np.arange(count, dtype=np.uint8), 4 * 4 * 3).reshape(count, 4, 4, 3)
    counted = Shot(frames, np.zeros((count, 4), dtype=np.float32), 4.0)
    for name in ("pace", "stutter", "waver"):
        order = VARIATIONS[name](counted, np.random.default_rng(seed)).frames[:, 0, 0, 0].astype(int)
        assert len(order) == count
        assert (np.diff(order) >= 0).all() and order.min() >= 0 and order.max() < count


def gradient() -> Frames:
    y, x = np.mgrid[0:120, 0:120]
    return np.stack([2 * x, 2 * y, x + y], axis=-1).astype(np.uint8)


HEAD = np.array([40, 30, 40, 50], dtype=np.float32)


def test_head_that_rests_is_not_touched() -> None:
    assert np.array_equal(warp_head(gradient(), HEAD, Pose()), gradient())


@pytest.mark.parametrize(
    ("pose", "spot", "channel", "sign"),
    [
        (Pose(yaw=0.3), (55, 60), 0, -1),
        (Pose(yaw=-0.3), (55, 60), 0, 1),
        (Pose(pitch=0.3), (55, 60), 1, -1),
        (Pose(roll=0.2), (35, 60), 0, -1),
        (Pose(mouth=0.05), (68, 66), 1, 1),
        (Pose(brows=0.05), (50, 67), 1, 1),
        (Pose(brows=-0.05), (50, 67), 1, -1),
    ],
)
def test_parts_of_the_face_move_where_the_pose_says(
    pose: Pose, spot: tuple[int, int], channel: int, sign: int
) -> None:
    """On a ramp: what moves right or down brings the smaller values of the left or above."""
    moved = warp_head(gradient(), HEAD, pose)[spot][channel].astype(int) - gradient()[spot][channel]
    assert moved * sign > 0


@pytest.mark.parametrize("driver", DRIVERS.values())
def test_room_does_not_bend_when_the_face_moves(
    shot: Shot, driver: Callable[[Shot, np.random.Generator], Shot]
) -> None:
    varied = driver(shot, np.random.default_rng(3))
    change = np.abs(varied.frames.astype(int) - shot.frames).max(axis=(0, 3))
    x, y, w, h = (float(value) for value in np.median(shot.heads, axis=0))
    rows, columns = np.mgrid[0 : change.shape[0], 0 : change.shape[1]]
    far = (np.abs(columns - x - w / 2) > 1.3 * w) | (np.abs(rows - y - h / 2) > 1.5 * h)
    assert change[far].max() <= 8
    assert change[~far].max() > 30


def test_head_that_is_not_seen_is_left_alone(shot: Shot) -> None:
    blind = replace(shot, heads=np.full_like(shot.heads, np.nan))
    for name in (*DRIVERS, "clothes", "background", "occlusion"):
        assert np.array_equal(VARIATIONS[name](blind, np.random.default_rng(1)).frames, shot.frames)
    for name in VARIATIONS:
        assert VARIATIONS[name](blind, np.random.default_rng(1)).frames.shape == shot.frames.shape


def test_scene_comes_before_the_sensor_and_unknown_names_are_refused(shot: Shot) -> None:
    names = ["noise", "infrared", "yes"]
    mixed = vary(shot, names, np.random.default_rng(3))
    assert np.array_equal(mixed.frames, vary(shot, names[::-1], np.random.default_rng(3)).frames)
    rng = np.random.default_rng(3)
    by_hand = VARIATIONS["noise"](VARIATIONS["infrared"](VARIATIONS["yes"](shot, rng), rng), rng)
    assert np.array_equal(mixed.frames, by_hand.frames)
    with pytest.raises(UsageError, match="'sepia'"):
        vary(shot, ["sepia"], rng)
