"""Claims about evidence from single traits, and how the bridge uses it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.train.model_fixtures import random_bridge, random_inputs
from train.base.trait_readout import TRAIT_SIZES, readout_loss
from train.checkpoint import WEIGHTS, load_base, save_base
from train.model.bridge import BridgeConfig
from train.model.pvchat import ModelConfig, build_model
from train.model.traits import TraitEvidence

SIZES = (2, 4, 3, 5, 2, 6)
STARTS = (0, 2, 6, 9, 14, 16)


def reader(misread: float = -6.0) -> TraitEvidence:
    """Embeddings are the logits themselves; `misread` is the logit of how often a trait is misread."""
    evidence = TraitEvidence(sum(SIZES), SIZES)
    with torch.no_grad():
        evidence.read = torch.nn.Identity()
        evidence.misread.fill_(misread)
    return evidence


def person(*values: int | None, sure: float = 50.0) -> torch.Tensor:
    """Somebody with these values of the traits; None: cannot be read."""
    logits = torch.zeros(1, 1, sum(SIZES))
    for start, value in zip(STARTS, values, strict=True):
        if value is not None:
            logits[..., start + value] = sure
    return logits


def enumerated(evidence: TraitEvidence, a: torch.Tensor, b: torch.Tensor) -> float:
    """The same by going through every set of one to five differing traits."""
    same, other = [], []
    for size, missed, left, right in zip(
        SIZES,
        torch.sigmoid(evidence.misread).tolist(),
        torch.split(a, list(SIZES), -1),
        torch.split(b, list(SIZES), -1),
        strict=True,
    ):
        overlap = float((left.softmax(-1) * right.softmax(-1)).sum())
        overlap = (1 - missed) * overlap + missed / size
        same.append(size * overlap)
        other.append(size / (size - 1) * (1 - overlap))
    kin = float(torch.sigmoid(evidence.kin))
    groups = range(len(SIZES))
    alike = 0.0
    for count in range(1, 6):
        sets = list(combinations(groups, count))
        alike += sum(math.prod(other[i] if i in chosen else same[i] for i in groups) for chosen in sets) / (
            5 * len(sets)
        )
    return math.log(math.prod(same)) - math.log((1 - kin) + kin * alike)


@torch.no_grad()
@pytest.mark.parametrize("seed", range(5))
def test_evidence_is_that_of_going_through_every_set_of_differing_traits(seed: int) -> None:
    torch.manual_seed(seed)
    a, b = 3 * torch.randn(1, 1, sum(SIZES)), 3 * torch.randn(1, 1, sum(SIZES))
    evidence = reader(-2.0)
    assert float(evidence(a, b)) == pytest.approx(enumerated(evidence, a, b), abs=1e-4)


@torch.no_grad()
def test_one_clear_difference_outweighs_the_likenesses() -> None:
    me = person(0, 3, 1, 4, 1, 5)
    assert float(reader()(me, me)) > 2.0
    assert float(reader()(me, person(0, 3, 2, 4, 1, 5))) < -1.0


@torch.no_grad()
def test_the_fewer_traits_can_be_read_the_less_their_likeness_proves() -> None:
    me = person(0, 3, 1, 4, 1, 5)
    views = [me, person(0, 3, 1, None, 1, 5), person(0, 3, None, None, 1, 5), person(*[None] * 6)]
    proof = [float(reader()(me, view)) for view in views]
    assert proof == sorted(proof, reverse=True)
    assert proof[-1] == pytest.approx(0.0, abs=1e-4)


@torch.no_grad()
def test_at_first_nothing_is_corrected_and_later_what_was_told_is_weighed() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 3, sum(SIZES)), torch.randn(2, 5, sum(SIZES))
    evidence = reader()
    plain, told = evidence.compare(a, b)
    assert torch.equal(evidence(a, b), plain)
    assert told.shape == (2, 3, 5, 4 * len(SIZES) + 1)
    torch.testing.assert_close(told[1, 2, 4, 0], a[1, 2] @ b[1, 4])
    for parameter in list(evidence.correct.parameters())[-2:]:
        parameter.fill_(0.1)
    torch.testing.assert_close(evidence(a, b), plain + evidence.correct(told).squeeze(-1))
    assert not torch.allclose(evidence(a, b), plain, atol=1e-3)


@torch.no_grad()
def test_a_base_from_before_the_correction_is_read_and_corrects_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_base(tmp_path, build_model(ModelConfig()), ModelConfig(), "{}")
    weights = load_file(tmp_path / WEIGHTS)
    older = {name: tensor for name, tensor in weights.items() if ".traits.correct." not in name}
    assert len(older) == len(weights) - 4
    save_file(older, tmp_path / WEIGHTS)
    traits = load_base(tmp_path)[0].bridge.traits
    a, b = (
        torch.randn(1, 2, ModelConfig().bridge.embed_dim),
        torch.randn(1, 3, ModelConfig().bridge.embed_dim),
    )
    assert torch.equal(traits(a, b), traits.compare(a, b)[0])


@torch.no_grad()
def test_evidence_is_the_same_from_both_sides() -> None:
    a, b = torch.randn(1, 1, sum(SIZES)), torch.randn(1, 1, sum(SIZES))
    evidence = reader()
    assert float(evidence(a, b)) == pytest.approx(float(evidence(b, a)), abs=1e-6)


@torch.no_grad()
def test_faces_are_not_judged_by_the_traits_of_rendered_heads() -> None:
    bridge, inputs = random_bridge(BridgeConfig()), random_inputs(BridgeConfig())
    inputs.geom[..., 8], inputs.geom[..., 9] = 0.0, 1.0
    before = bridge(inputs).presence
    bridge.traits.sharpness.fill_(7.0)
    assert torch.equal(bridge(inputs).presence, before)
    heads = replace(inputs, geom=inputs.geom.clone())
    heads.geom[..., 8] = 1.0
    assert not torch.allclose(bridge(heads).presence, before, atol=1e-3)


def test_what_is_not_shown_is_learned_as_not_known() -> None:
    logits = torch.zeros(4, sum(TRAIT_SIZES), requires_grad=True)
    values, hidden = torch.zeros(4, len(TRAIT_SIZES), dtype=torch.long), torch.zeros(4, len(TRAIT_SIZES))
    readout_loss(logits, values, hidden).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and float(logits.grad.abs().max()) < 1e-7
    readout_loss(logits, values, hidden + 1).backward()  # type: ignore[no-untyped-call]
    assert float(logits.grad.abs().max()) > 1e-3
