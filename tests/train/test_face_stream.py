"""Claims about the face stream: the formulas, silence without a face, telemetry and stages."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from train.model.face_stream import LEARNING, FaceStream, FaceStreamConfig, FusionMode, Stage
from train.model.remoh import RoutedAttention

SIZES = {"dim": 24, "heads": 3, "levels": (5, 7), "queries": 4, "experts": 3}


def stream(mode: FusionMode = "moe") -> FaceStream:
    torch.manual_seed(0)
    return FaceStream(FaceStreamConfig(**SIZES, mode=mode)).eval()  # type: ignore[arg-type]


def inputs(seed: int = 1) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    valid = torch.tensor([[1.0, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
    levels = [torch.randn(2, 5, width, generator=draw) for width in (5, 7)]
    return torch.randn(2, 4, 24, generator=draw), levels, valid, torch.randn(2, 2, 24, generator=draw)


def plain_attention(module: RoutedAttention, x: Tensor, tokens: Tensor) -> Tensor:
    """Head by head, in plain arithmetic."""
    query, key, value = module.query(x), module.key(tokens), module.value(tokens)
    width, heads = query.shape[-1] // module.heads, []
    for head in range(module.heads):
        part = slice(head * width, (head + 1) * width)
        logits = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(width)
        heads.append(torch.softmax(logits, dim=-1) @ value[..., part])
    out: Tensor = module.out(torch.cat(heads, dim=-1))
    return out


@torch.no_grad()
def test_rows_are_the_written_formula_for_one_window_with_all_its_faces() -> None:
    module = stream()
    general, levels, valid, prompt = (
        inputs()[0][:1],
        [t[:1, :3] for t in inputs()[1]],
        torch.ones(1, 3),
        inputs()[3][:1],
    )
    found = prompt
    for level, tokens in zip(module.encoders, levels, strict=True):
        seen = level.between(plain_attention(level.read, found, level.up(tokens)))  # type: ignore[operator,arg-type]
        found = plain_attention(level.ask, prompt, seen)  # type: ignore[arg-type]
    queries = module.queries + module.condition(prompt.mean(dim=1, keepdim=True))
    face = module.former_norm(queries + plain_attention(module.former, queries, found))
    asked = module.of_prompt(prompt.mean(dim=1))
    hidden = F.gelu(module.of_general(general.mean(dim=1)) + asked) + F.gelu(
        module.of_face(face.mean(dim=1)) + asked
    )
    shares = torch.softmax(module.gate(hidden), dim=-1)[0]
    both = torch.cat([general, face], dim=-1)
    wanted = general + sum(share * expert(both) for share, expert in zip(shares, module.experts, strict=True))
    out = module(general, levels, valid, prompt)
    assert torch.allclose(out.rows, wanted, atol=1e-5)
    assert torch.allclose(out.load, shares, atol=1e-6)


@pytest.mark.parametrize("mode", ["moe", "weight_adapter"])
@torch.no_grad()
def test_without_a_face_the_general_rows_are_kept_bit_for_bit(mode: FusionMode) -> None:
    general, levels, valid, prompt = inputs()
    out = stream(mode)(general, levels, torch.zeros_like(valid), prompt)
    assert torch.equal(out.rows, general)
    assert out.weights.tolist() == [[1.0, 0.0]] * 2


@pytest.mark.parametrize("mode", ["moe", "weight_adapter"])
@torch.no_grad()
def test_tokens_that_are_not_valid_change_nothing(mode: FusionMode) -> None:
    general, levels, valid, prompt = inputs()
    module = stream(mode)
    before = module(general, levels, valid, prompt).rows
    for level in levels:
        level[valid == 0] += 50
    assert torch.allclose(module(general, levels, valid, prompt).rows, before, atol=1e-5)
    levels[0][0, 0] += 5
    assert float((module(general, levels, valid, prompt).rows[0] - before[0]).abs().max()) > 1e-6


@pytest.mark.parametrize("mode", ["moe", "weight_adapter"])
@torch.no_grad()
def test_telemetry_is_shares(mode: FusionMode) -> None:
    out = stream(mode)(*inputs())
    assert torch.allclose(out.weights.sum(dim=-1), torch.ones(2), atol=1e-6)
    assert bool((out.weights[:, 1] > 0).all())
    assert out.load.numel() == (3 if mode == "moe" else 0)
    assert mode != "moe" or abs(float(out.load.sum()) - 1) < 1e-6


@torch.no_grad()
def test_weight_adapter_weighs_two_sources() -> None:
    general, levels, valid, prompt = inputs()
    module = stream("weight_adapter")
    out = module(general, levels, valid, prompt)
    face = (out.rows - out.weights[:, :1, None] * general) / out.weights[:, 1:, None]
    again = module(general + 0.0, levels, valid, prompt)
    assert torch.equal(again.rows, out.rows)
    assert torch.allclose(face.mean(dim=-1), torch.zeros(2, 4), atol=1e-4), (
        "rows of a layer norm at its start"
    )


@pytest.mark.parametrize("stage", LEARNING)
def test_frozen_parts_do_not_move_and_the_others_do(stage: Stage) -> None:
    module = stream().train()
    module.learn_only(stage)
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    learning = [value for value in module.parameters() if value.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=0.5)
    module(*inputs()).rows.square().sum().backward()
    optimiser.step()
    moved = {
        name.split(".")[0]
        for name, value in module.named_parameters()
        if not torch.equal(value, before[name])
    }
    parts = {
        "encoders": {"encoders"},
        "qformer": {"queries", "condition", "former", "former_norm"},
        "adapter": {"of_general", "of_face", "of_prompt", "gate", "experts"},
    }
    assert moved == set().union(*(parts[name] for name in LEARNING[stage]))


def test_another_number_of_levels_is_refused() -> None:
    general, levels, valid, prompt = inputs()
    with pytest.raises(ValueError, match="2 levels of face tokens are wanted, got 1"):
        stream()(general, levels[:1], valid, prompt)
    with pytest.raises(ValueError, match="at least one level"):
        FaceStreamConfig(levels=())
