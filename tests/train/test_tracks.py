"""Claims about reading a track as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch

from train.model.tracks import TrackMotion, same_track, swing

FRAMES, WIDTH, GEOM = 8, 6, 12


@dataclass(frozen=True)
class Scene:
    """Two tracks over four frames each, then an empty place, and a module that reads them."""

    module: TrackMotion
    signs: torch.Tensor
    geom: torch.Tensor
    same: torch.Tensor
    when: torch.Tensor

    def read(self) -> torch.Tensor:
        out: torch.Tensor = self.module(self.signs, self.geom, self.same, self.when)
        return out[0]


def scene(seed: int = 0) -> Scene:
    torch.manual_seed(seed)
    track = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 0]]) / 8
    valid = torch.tensor([[1.0] * 8 + [0.0]])
    frame = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 0])
    when = torch.nn.functional.one_hot(frame, FRAMES).float()[None]
    geom = torch.rand(1, 9, GEOM) + 0.1
    module = TrackMotion(WIDTH, GEOM, FRAMES, 5).eval()
    return Scene(module, torch.randn(1, 9, WIDTH), geom, same_track(track, valid), when)


@torch.no_grad()
def test_every_token_of_a_track_gets_the_same_and_other_tracks_something_else() -> None:
    out = scene().read()
    assert torch.allclose(out[0], out[3], atol=1e-6)
    assert not torch.allclose(out[0], out[4], atol=1e-3)


@torch.no_grad()
def test_what_another_track_does_changes_nothing() -> None:
    here = scene()
    signs, geom = here.signs.clone(), here.geom.clone()
    signs[0, 4:8] += 1
    geom[0, 4:8] *= 2
    assert torch.equal(here.read()[:4], replace(here, signs=signs, geom=geom).read()[:4])


@torch.no_grad()
def test_the_order_of_the_moments_matters() -> None:
    here = scene()
    backwards = here.signs.clone()
    backwards[0, :4] = here.signs[0, :4].flip(0)
    assert not torch.allclose(here.read()[0], replace(here, signs=backwards).read()[0], atol=1e-3)


@torch.no_grad()
def test_a_place_without_a_person_is_no_part_of_a_track() -> None:
    here = scene()
    signs, geom = here.signs.clone(), here.geom.clone()
    signs[0, 8], geom[0, 8] = 100.0, 100.0
    assert torch.equal(replace(here, signs=signs, geom=geom).read()[:8], here.read()[:8])


@torch.no_grad()
def test_a_moment_that_was_not_seen_is_told_from_a_moment_without_features() -> None:
    here = scene()
    here.module.features.weight.zero_()
    here.module.features.bias.zero_()
    here.module.mean.weight.zero_()
    unseen = here.same.clone()
    unseen[0, :, 3] = 0.0
    assert not torch.allclose(here.read()[0], replace(here, same=unseen).read()[0], atol=1e-4)


@torch.no_grad()
def test_moving_through_the_picture_is_measured_in_heads() -> None:
    """The same walk seen twice as large, in the same part of the picture, moves as many heads."""
    here = scene()
    small = here.geom.clone()
    small[..., :2], small[..., 2:4] = torch.linspace(-0.1, 0.1, 9)[None, :, None], 0.05
    large = small.clone()
    large[..., :4] *= 2
    here.module.features.weight[:, : 7 + GEOM] = 0.0
    near, far = replace(here, geom=large).read(), replace(here, geom=small).read()
    assert torch.allclose(near, far, atol=1e-6)
    assert not torch.allclose(far, replace(here, geom=torch.ones_like(small)).read(), atol=1e-4)


@torch.no_grad()
def test_a_swing_is_counted_alike_at_any_phase_and_between_neighbouring_frames_alone() -> None:
    track, valid = torch.zeros(1, 5), torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.0]])
    when = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 5, 0]), FRAMES).float()[None]
    values = torch.tensor([0.0, 1.0, 0.0, 1.0, 9.0])[None, :, None]
    deviation, step = swing(values, same_track(track, valid), when)[0, 0].tolist()
    assert deviation == pytest.approx(0.5, abs=1e-3)
    assert step == pytest.approx(1.0)
    shifted = swing(1.0 - values, same_track(track, valid), when)[0, 0].tolist()
    assert shifted == pytest.approx([deviation, step])


def test_dropout_is_for_training_alone() -> None:
    here = scene()
    assert torch.equal(here.read(), here.read())
    here.module.train()
    assert not torch.equal(here.read(), here.read())
