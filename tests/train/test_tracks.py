"""Claims about reading a track as a whole."""

from __future__ import annotations

import torch

from train.model.tracks import TrackMotion, same_track

FRAMES, WIDTH = 8, 6


def scene(seed: int = 0) -> tuple[TrackMotion, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two tracks over four frames each, then an empty place: module, features, same, when."""
    torch.manual_seed(seed)
    track = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 0]]) / 8
    valid = torch.tensor([[1.0] * 8 + [0.0]])
    frame = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 0])
    when = torch.nn.functional.one_hot(frame, FRAMES).float()[None]
    return TrackMotion(WIDTH, FRAMES, 5), torch.randn(1, 9, WIDTH), same_track(track, valid), when


@torch.no_grad()
def test_every_token_of_a_track_gets_the_same_and_other_tracks_something_else() -> None:
    module, features, same, when = scene()
    out = module(features, same, when)
    assert torch.allclose(out[0, 0], out[0, 3], atol=1e-6)
    assert not torch.allclose(out[0, 0], out[0, 4], atol=1e-3)


@torch.no_grad()
def test_what_another_track_does_changes_nothing() -> None:
    module, features, same, when = scene()
    other = features.clone()
    other[0, 4:8] += 1
    assert torch.equal(module(features, same, when)[0, :4], module(other, same, when)[0, :4])


@torch.no_grad()
def test_the_order_of_the_moments_matters() -> None:
    module, features, same, when = scene()
    backwards = features.clone()
    backwards[0, :4] = features[0, :4].flip(0)
    assert not torch.allclose(
        module(features, same, when)[0, 0], module(backwards, same, when)[0, 0], atol=1e-3
    )


@torch.no_grad()
def test_a_place_without_a_person_is_no_part_of_a_track() -> None:
    module, features, same, when = scene()
    noisy = features.clone()
    noisy[0, 8] = 100.0
    assert torch.equal(module(features, same, when)[0, :8], module(noisy, same, when)[0, :8])


@torch.no_grad()
def test_a_moment_that_was_not_seen_is_told_from_one_of_zeros() -> None:
    module, features, same, when = scene()
    module.features.bias.zero_()
    zeros = features.clone()
    zeros[0, 3] = 0.0
    unseen = same.clone()
    unseen[0, :, 3] = 0.0
    assert not torch.allclose(module(zeros, same, when)[0, 0], module(zeros, unseen, when)[0, 0], atol=1e-4)
