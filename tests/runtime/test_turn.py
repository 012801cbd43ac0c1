"""How a face is held: points of a head in space, turned, tilted and seen from afar."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.people.faces import shared_faces
from runtime.people.turn import tilt_of, yaw_of
from runtime.video import read_video

DATA = Path(__file__).parents[3] / "shared" / "data"
HEAD = np.array([[-157.5, 0.0, 0.0], [157.5, 0.0, 0.0], [0.0, 150.0, 135.0]])
"""Eyes and tip of the nose: right, down, towards the camera."""


def seen(yaw_deg: float, tilt_deg: float = 0.0, scale: float = 0.1) -> NDArray[np.float32]:
    yaw, tilt = math.radians(yaw_deg), math.radians(tilt_deg)
    x = HEAD[:, 0] * math.cos(yaw) + HEAD[:, 2] * math.sin(yaw)
    turn = np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]])
    flat = np.stack([x, HEAD[:, 1]], axis=1)
    return np.asarray(flat @ turn * scale + 200, dtype=np.float32)


@given(st.floats(-75, 75), st.floats(0.02, 1.0))
def test_the_turn_of_a_head_in_space_is_told_at_any_size(yaw_deg: float, scale: float) -> None:
    assert yaw_of(seen(yaw_deg, scale=scale)) == pytest.approx(yaw_deg, abs=1.0)


@given(st.floats(-45, 45))
def test_a_tilted_head_that_looks_ahead_is_not_turned(tilt_deg: float) -> None:
    assert tilt_of(seen(0.0, tilt_deg)) == pytest.approx(tilt_deg, abs=0.1)
    assert yaw_of(seen(0.0, tilt_deg)) == pytest.approx(0.0, abs=0.1)


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data with the real clips is not beside the project")
def test_somebody_who_looks_to_one_side_looks_to_the_other_in_a_mirror() -> None:
    frame = read_video(DATA / "clips" / "asl03" / "asl03_book.mkv", fps=1.0).clip.frames[0]
    mirrored = np.ascontiguousarray(frame[:, ::-1])
    (one, other) = (shared_faces().find(picture)[0].yaw_deg for picture in (frame, mirrored))
    assert one is not None and other is not None
    assert one < -8.0 and other > 8.0
    assert one == pytest.approx(-other, abs=8.0)
