from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
import torch

from tests.train.model_fixtures import random_bridge, random_inputs
from train.base.language_stage import Words, prefix_embeddings
from train.base.tokens import build_tokenizer
from train.model.bridge import BridgeConfig, BridgeInputs
from train.model.enrol import Enrol, EnrolConfig
from train.model.language import LanguageConfig, build_language

CONFIG = BridgeConfig()


def _only(inputs: BridgeInputs, slot: int) -> BridgeInputs:
    """The same slots, all others empty."""
    emptied = {}
    for name in ("queries", "templates", "subject_valid", "delta_a", "delta_b"):
        part = torch.zeros_like(getattr(inputs, name))
        part[:, slot] = getattr(inputs, name)[:, slot]
        emptied[name] = part
    return replace(inputs, **emptied)


@torch.no_grad()
def test_presence_of_a_is_bit_identical_with_and_without_b() -> None:
    bridge, inputs = random_bridge(CONFIG), random_inputs(CONFIG)
    together = bridge(inputs)
    for slot in range(3):
        alone = bridge(_only(inputs, slot))
        assert torch.equal(alone.presence[:, slot], together.presence[:, slot])
        assert torch.equal(alone.subject_rows[:, slot], together.subject_rows[:, slot])


@torch.no_grad()
def test_base_rows_do_not_depend_on_any_subject() -> None:
    bridge, inputs = random_bridge(CONFIG), random_inputs(CONFIG)
    assert torch.equal(bridge(inputs).base_rows, bridge(_only(inputs, 0)).base_rows)


@torch.no_grad()
def test_padding_tokens_change_nothing() -> None:
    bridge, inputs = random_bridge(CONFIG), random_inputs(CONFIG)
    inputs.valid[:, 20:] = 0
    noisy = replace(inputs, embed=inputs.embed.clone())
    noisy.embed[:, 20:] = 1.0
    first, second = bridge(inputs), bridge(noisy)
    assert torch.allclose(first.presence, second.presence, atol=1e-5)
    assert torch.allclose(first.subject_rows, second.subject_rows, atol=1e-4)


@torch.no_grad()
def test_scene_tokens_outside_the_domain_count_for_nothing() -> None:
    bridge, inputs = random_bridge(CONFIG), random_inputs(CONFIG)
    blind = replace(inputs, scene_valid=torch.zeros(2))
    other = replace(blind, scene=blind.scene * 3 + 1)
    assert torch.allclose(bridge(blind).presence, bridge(other).presence, atol=1e-5)


@torch.no_grad()
def test_presence_is_unchanged_when_the_embedding_space_is_rotated_once_its_own_projection_is_off() -> None:
    bridge, inputs = random_bridge(CONFIG), random_inputs(CONFIG)
    inputs.geom[..., 8] = 0.0  # of heads, single traits are read besides
    bridge.embed_in.weight.zero_()
    rotation, _ = torch.linalg.qr(torch.randn(128, 128, generator=torch.Generator().manual_seed(1)))
    turned = replace(inputs, embed=inputs.embed @ rotation, templates=inputs.templates @ rotation)
    assert torch.allclose(bridge(inputs).presence, bridge(turned).presence, atol=1e-3)


@torch.no_grad()
def test_a_low_rank_change_acts_on_its_own_subject_alone() -> None:
    bridge, inputs = random_bridge(CONFIG), random_inputs(CONFIG)
    changed = replace(inputs, delta_b=inputs.delta_b.clone())
    changed.delta_b[:, 1] *= 3
    before, after = bridge(inputs), bridge(changed)
    assert torch.equal(before.subject_rows[:, 0], after.subject_rows[:, 0])
    assert not torch.equal(before.subject_rows[:, 1], after.subject_rows[:, 1])


@torch.no_grad()
def test_match_points_at_the_track_that_looks_like_the_template() -> None:
    bridge, inputs = random_bridge(CONFIG), random_inputs(CONFIG)
    track = inputs.geom[0, :, 10] == 0.25
    inputs.embed[0, track] = inputs.templates[0, 1]
    match = bridge(inputs).match[0, 1]
    assert abs(float(match.sum()) - 1) < 1e-5
    assert bool(track[int(match.argmax())])


def test_enrolment_without_a_token_is_the_shared_start() -> None:
    enrol = Enrol(EnrolConfig())
    torch.nn.init.normal_(enrol.query_out.weight)
    embed, geom = torch.randn(1, 64, 128), torch.randn(1, 64, 12)
    queries, soft, token = enrol(embed, geom, torch.zeros(1, 64))
    assert torch.equal(queries[0], enrol.queries + enrol.query_out.bias)
    assert torch.equal(soft[0], enrol.soft_tokens)
    assert float(token.detach().abs().max()) == 0.0


@pytest.mark.parametrize("soft", [0, 4, 20])
def test_soft_tokens_are_as_many_as_configured_and_stand_in_the_prompt(soft: int) -> None:
    enrol = Enrol(EnrolConfig(soft=soft))
    queries, words, token = enrol(torch.randn(2, 64, 128), torch.randn(2, 64, 12), torch.ones(2, 64))
    assert (queries.shape, words.shape, token.shape) == ((2, 16, 192), (2, soft, 192), (2, 192))
    torch.manual_seed(0)
    language = build_language(LanguageConfig())
    said = Words(torch.randn(2, 16, 192), torch.randn(2, 1, 16, 192), words[:, None], token[:, None])
    length = prefix_embeddings(language, build_tokenizer(), said).shape[1]
    none = dataclasses.replace(said, soft=words[:, None, :0])
    assert length == prefix_embeddings(language, build_tokenizer(), none).shape[1] + soft
