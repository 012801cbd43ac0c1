"""Claims about evidence from single traits, and how the bridge uses it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.train.model_fixtures import random_bridge, random_inputs
from train.base.trait_readout import TRAIT_SIZES, readout_loss
from train.model.bridge import BridgeConfig
from train.model.traits import TraitEvidence

SIZES = (2, 4)


def reader() -> TraitEvidence:
    """Embeddings are the logits themselves: the first two numbers one trait, the other four another."""
    evidence = TraitEvidence(6, SIZES)
    with torch.no_grad():
        evidence.read.weight.copy_(torch.eye(6))
        evidence.read.bias.zero_()
        evidence.weights.fill_(1.0)
    return evidence


def person(first: int, second: int, sure: float = 50.0) -> torch.Tensor:
    logits = torch.zeros(1, 1, 6)
    logits[..., first] = sure
    logits[..., 2 + second] = sure
    return logits


@torch.no_grad()
def test_agreement_counts_as_much_as_it_is_rare() -> None:
    same = reader()(person(0, 3), person(0, 3))
    assert float(same) == pytest.approx(math.log(2) + math.log(4), abs=1e-4)


@torch.no_grad()
def test_one_clear_difference_outweighs_the_likenesses() -> None:
    assert float(reader()(person(0, 3), person(1, 3))) < -2.0


@torch.no_grad()
def test_a_trait_that_cannot_be_read_counts_for_nothing() -> None:
    unknown = person(0, 3)
    unknown[..., 2:] = 0.0
    assert float(reader()(person(0, 1), unknown)) == pytest.approx(math.log(2), abs=1e-4)


@torch.no_grad()
def test_evidence_is_the_same_from_both_sides() -> None:
    a, b = torch.randn(1, 1, 6), torch.randn(1, 1, 6)
    evidence = reader()
    assert float(evidence(a, b)) == pytest.approx(float(evidence(b, a)), abs=1e-6)


@torch.no_grad()
def test_faces_are_not_judged_by_the_traits_of_rendered_heads() -> None:
    bridge, inputs = random_bridge(BridgeConfig()), random_inputs(BridgeConfig())
    inputs.geom[..., 8], inputs.geom[..., 9] = 0.0, 1.0
    before = bridge(inputs).presence
    bridge.traits.weights.fill_(7.0)
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
