"""Claims about cutting heads inexactly and correcting the cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.base.head_stage import corrected, correction, cut, inexact
from train.base.world_data import WIDE, WIDE_CROP

SIZE = 64


def wide_picture() -> torch.Tensor:
    """One smooth picture that is different everywhere."""
    steps = torch.linspace(-1, 1, WIDE_CROP)
    right, down = steps[None, :].expand(WIDE_CROP, -1), steps[:, None].expand(-1, WIDE_CROP)
    return torch.stack([right, down, right * down])[None]


def test_an_exact_cut_is_the_middle_of_the_wide_crop() -> None:
    exact = cut(wide_picture(), torch.zeros(1, 2), torch.zeros(1), SIZE)
    edge = (1 - 1 / SIZE) / WIDE * WIDE_CROP / (WIDE_CROP - 1)
    assert exact.shape == (1, 3, SIZE, SIZE)
    assert float(exact[0, 0, 0, 0]) == pytest.approx(-edge, abs=1e-3)
    assert float(exact[0, 1, -1, -1]) == pytest.approx(edge, abs=1e-3)


@given(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.floats(-0.2, 0.15))
def test_a_cut_corrected_by_what_the_encoder_should_say_is_exact(dx: float, dy: float, scale: float) -> None:
    shift, size = torch.tensor([[dx, dy]]), torch.tensor([scale])
    told = correction(shift, size)
    again = cut(wide_picture(), *corrected(shift, size, told), SIZE)
    exact = cut(wide_picture(), torch.zeros(1, 2), torch.zeros(1), SIZE)
    assert torch.allclose(again, exact, atol=1e-5)


def test_a_cut_to_the_right_shows_the_head_on_the_left() -> None:
    told = correction(torch.tensor([[0.1, 0.0]]), torch.zeros(1))
    assert float(told[0, 0]) == pytest.approx(-0.1) and float(told[0, 1]) == 0.0


def test_inexact_cuts_stay_inside_the_wide_crop() -> None:
    shift, scale = inexact(np.random.default_rng(0), 2000, (0.2, 0.2))
    half = torch.exp(scale)[:, None] / 2
    inside = (shift.abs() + half <= WIDE / 2 + 1e-6) | (half > WIDE / 2)
    assert bool(inside.all())
    assert float(shift.std()) > 0.1 and float(scale.std()) > 0.15
