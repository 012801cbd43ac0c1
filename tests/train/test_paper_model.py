"""Claims about the model at the paper's size; numbers of parameters and names are the public checkpoint's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn import functional as F
from transformers import Blip2QFormerConfig, Blip2QFormerModel, MistralConfig, MistralForCausalLM

from train.model.paper.chat import LORA_TARGETS, MistralSizes, PaperConfig, PaperModel
from train.model.paper.lora import LoraLinear, add_lora, set_lora_scale
from train.model.paper.names import public_name
from train.model.paper.pooling import PooledProjector, PoolingConfig
from train.model.paper.qformer import QFormer, QFormerConfig, subject_mask
from train.model.paper.video import VideoConfig, VideoEncoder
from train.model.remoh import Routing

PUBLIC_PARAMETERS = 8_471_368_960
UNROUTED = Routing(mode="none")
SMALL_Q = QFormerConfig(
    dim=48, layers=4, heads=12, ffn=64, video_dim=20, words=30, positions=8, routed_from=2, routing=UNROUTED
)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def public() -> PaperModel:
    with torch.device("meta"):
        return PaperModel(PaperConfig.public_base())


def shuffled(module: nn.Module, seed: int) -> Any:
    """Every parameter drawn anew, so that no part is zero or one by its start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return module.eval()


def test_the_public_base_has_exactly_its_number_of_parameters(public: PaperModel) -> None:
    assert count(public) == PUBLIC_PARAMETERS
    assert count(public.vision_encoder) == 988_779_520
    assert count(public.qformer) == 185_660_160
    lora = sum(p.numel() for name, p in public.named_parameters() if "lora_" in name)
    assert lora == 42_532_864
    assert count(public.language) - lora == 7_248_023_552


def test_routers_and_subjects_add_what_the_paper_adds() -> None:
    with torch.device("meta"):
        model = PaperModel(PaperConfig())
    routers = sum(p.numel() for name, p in model.named_parameters() if ".router." in name)
    assert routers == 41_508
    assert count(model) == PUBLIC_PARAMETERS + routers + 16 * 768


def test_parameters_carry_the_public_names(public: PaperModel) -> None:
    names = {public_name(name): tuple(p.shape) for name, p in public.named_parameters()}
    assert len(names) == len(list(public.named_parameters()))
    layer, language = "qformer.bert.encoder.layer", "lm.base_model.model"
    expected = {
        "query_tokens": (1, 32, 768),
        "extra_query_tokens": (1, 64, 768),
        "vision_encoder.pos_embed": (1, 2049, 1408),
        "vision_encoder.img_pos_embed": (1, 257, 1408),
        "vision_encoder.patch_embed.proj.weight": (1408, 3, 1, 14, 14),
        "vision_encoder.blocks.38.attn.qkv.weight": (4224, 1408),
        "vision_encoder.blocks.0.attn.q_norm.weight": (1408,),
        "vision_encoder.blocks.0.ls2": (1408,),
        "vision_layernorm.bias": (1408,),
        "qformer.bert.embeddings.word_embeddings.weight": (30523, 768),
        f"{layer}.11.attention.self.query.weight": (768, 768),
        f"{layer}.10.crossattention.self.key.weight": (768, 1408),
        f"{layer}.10.crossattention.output.LayerNorm.bias": (768,),
        f"{layer}.3.intermediate.dense.weight": (3072, 768),
        f"{layer}.3.output_query.LayerNorm.weight": (768,),
        "project_up.weight": (4096, 768),
        "project_down.bias": (768,),
        f"{language}.model.embed_tokens.weight": (32768, 4096),
        f"{language}.model.layers.31.self_attn.k_proj.lora_B.default.weight": (1024, 16),
        f"{language}.model.layers.0.mlp.down_proj.weight": (4096, 14336),
        f"{language}.model.norm.weight": (4096,),
        f"{language}.lm_head.lora_A.default.weight": (16, 4096),
    }
    assert {name: names.get(name) for name in expected} == expected
    assert not any(name.startswith(f"{layer}.1.crossattention") for name in names)


@torch.no_grad()
def test_the_q_former_computes_what_transformers_computes() -> None:
    ours = shuffled(QFormer(SMALL_Q), 1)
    reference: Any = Blip2QFormerModel(
        Blip2QFormerConfig(
            hidden_size=48, num_hidden_layers=4, num_attention_heads=12, intermediate_size=64,
            encoder_hidden_size=20, cross_attention_frequency=2, vocab_size=30, max_position_embeddings=8,
        )
    )  # fmt: skip
    reference.eval()
    tensors = {}
    for name, tensor in ours.state_dict().items():
        public = public_name(f"qformer.{name}").removeprefix("qformer.bert.")
        public = public.replace("embeddings.LayerNorm", "layernorm").replace(
            "attention.self", "attention.attention"
        )
        tensors[public] = tensor
    missing, _ = reference.load_state_dict(tensors, strict=False)
    assert not missing
    queries, video = torch.randn(2, 6, 48), torch.randn(2, 9, 20)
    expected = reference(query_embeds=queries, encoder_hidden_states=video).last_hidden_state
    found, scores = ours(queries, video)
    assert scores == []
    assert torch.allclose(found, expected, atol=1e-5)


@torch.no_grad()
def test_identity_routing_leaves_the_q_former_as_it_was_bit_for_bit() -> None:
    torch.manual_seed(2)
    plain = QFormer(SMALL_Q).eval()
    routed = QFormer(replace(SMALL_Q, routing=Routing())).eval()
    missing, unexpected = routed.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(".router." in name for name in missing)
    queries, video = torch.randn(2, 6, 48), torch.randn(2, 9, 20)
    found, scores = routed(queries, video)
    assert torch.equal(found, plain(queries, video)[0])
    assert len(scores) == 3  # self-attention of layers 2 and 3, cross-attention of layer 2


@torch.no_grad()
def test_masked_subjects_see_the_base_and_themselves_alone() -> None:
    qformer = shuffled(QFormer(SMALL_Q), 3)
    base, video = torch.randn(1, 4, 48), torch.randn(1, 9, 20)
    anna, ben, carl = (torch.randn(1, 3, 48) for _ in range(3))
    mask = subject_mask(4, 2, 3)
    with_ben, _ = qformer(torch.cat([base, anna, ben], dim=1), video, mask)
    with_carl, _ = qformer(torch.cat([base, anna, carl], dim=1), video, mask)
    alone, _ = qformer(torch.cat([base, anna], dim=1), video, subject_mask(4, 1, 3))
    assert torch.allclose(with_ben[:, :7], with_carl[:, :7], atol=1e-6)
    assert torch.allclose(with_ben[:, :7], alone, atol=1e-5)
    assert not torch.allclose(with_ben[:, 7:], with_carl[:, 7:], atol=1e-5)


@torch.no_grad()
def test_lora_computes_what_peft_computes_and_folds_to_the_same() -> None:
    torch.manual_seed(4)
    sizes = MistralConfig(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, sliding_window=None, tie_word_embeddings=False,
    )  # fmt: skip
    base: Any = MistralForCausalLM(sizes)
    ours: Any = MistralForCausalLM(sizes)
    ours.load_state_dict(base.state_dict())
    add_lora(ours, LORA_TARGETS, rank=4, alpha=8.0, dropout=0.1)
    ours.eval()
    reference = get_peft_model(
        base, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, target_modules=sorted(LORA_TARGETS))
    ).eval()
    shuffled_lora = {
        name: torch.randn(p.shape) * 0.2 for name, p in ours.named_parameters() if "lora_" in name
    }
    ours.load_state_dict(shuffled_lora, strict=False)
    reference.load_state_dict(
        {f"base_model.model.{name}": tensor for name, tensor in shuffled_lora.items()}, strict=False
    )
    ids = torch.randint(0, 50, (2, 9))
    changed = ours(ids).logits
    assert torch.allclose(changed, reference(ids).logits, atol=1e-5)
    set_lora_scale(ours, 0.0)
    with reference.disable_adapter():
        assert torch.allclose(ours(ids).logits, reference(ids).logits, atol=1e-5)
    set_lora_scale(ours, 1.0)
    for layer in ours.modules():
        if isinstance(layer, LoraLinear):
            layer.fold()
    assert torch.allclose(ours(ids).logits, changed, atol=1e-5)


@torch.no_grad()
def test_the_video_encoder_computes_the_published_formula() -> None:
    config = VideoConfig(dim=24, depth=2, heads=3, ffn=40, frames=2, image_px=8, patch_px=4)
    encoder = shuffled(VideoEncoder(config), 5)
    video = torch.randn(2, 3, 2, 8, 8)
    x = _patches(encoder, video) + encoder.pos_embed
    for block in encoder.blocks:
        x = x + block.ls1 * _attention(block.attn, _rms(x, block.norm1.weight))
        hidden = F.gelu(F.linear(_rms(x, block.norm2.weight), block.mlp.fc1.weight, block.mlp.fc1.bias))
        x = x + block.ls2 * F.linear(hidden, block.mlp.fc2.weight, block.mlp.fc2.bias)
    assert torch.allclose(encoder(video), x, atol=1e-4)


@torch.no_grad()
def test_one_image_has_its_own_places_and_another_length_is_refused() -> None:
    config = VideoConfig(dim=24, depth=1, heads=3, ffn=40, frames=2, image_px=8, patch_px=4)
    encoder = shuffled(VideoEncoder(config), 6)
    assert encoder(torch.randn(1, 3, 1, 8, 8)).shape == (1, 5, 24)
    with pytest.raises(ValueError, match="1 or 2 frames, got 3"):
        encoder(torch.randn(1, 3, 3, 8, 8))


@torch.no_grad()
def test_three_views_of_a_clip_become_rows_of_the_language_model() -> None:
    config = PaperConfig(
        video=VideoConfig(dim=20, depth=1, heads=2, ffn=40, frames=2, image_px=8, patch_px=4),
        qformer=replace(SMALL_Q, routing=Routing()),
        language=MistralSizes(vocab=40, dim=32, layers=1, heads=4, kv_heads=2, ffn=48, positions=64),
        base_queries=3, extra_queries=2, subjects=2, subject_queries=4, lora_rank=2,
    )  # fmt: skip
    rows, scores = PaperModel(config).eval().rows(torch.randn(2, 3, 3, 2, 8, 8))
    assert rows.shape == (2, 3 * (3 + 2 + 8), 32)
    assert len(scores) == 3


@torch.no_grad()
def test_pooling_averages_projected_patches_over_time_and_space() -> None:
    projector = shuffled(PooledProjector(PoolingConfig(frames=2, rows=2, columns=1), 5, 3), 7)
    tokens = torch.randn(2, 1 + 4 * 16, 5)
    hidden = F.gelu(F.linear(tokens[:, 1:], projector.linear_1.weight, projector.linear_1.bias))
    patches = F.linear(hidden, projector.linear_2.weight, projector.linear_2.bias).view(2, 4, 4, 4, 3)
    expected = torch.stack(
        [
            patches[:, 2 * t : 2 * t + 2, 2 * r : 2 * r + 2].mean(dim=(1, 2, 3))
            for t in range(2)
            for r in range(2)
        ],
        dim=1,
    )
    assert torch.allclose(projector(tokens, 4), expected, atol=1e-5)


@torch.no_grad()
def test_with_pooling_the_language_model_sees_pooled_patches() -> None:
    config = PaperConfig(
        video=VideoConfig(dim=20, depth=1, heads=2, ffn=40, frames=2, image_px=8, patch_px=4),
        qformer=SMALL_Q,
        language=MistralSizes(vocab=40, dim=32, layers=1, heads=4, kv_heads=2, ffn=48, positions=64),
        pooling=PoolingConfig(frames=1, rows=2, columns=2), lora_rank=2,
    )  # fmt: skip
    rows, scores = PaperModel(config).eval().rows(torch.randn(2, 3, 3, 2, 8, 8))
    assert rows.shape == (2, 3 * 4, 32) and scores == []


def _rms(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, (x.shape[-1],), weight, eps=1e-6)


def _patches(encoder: Any, video: torch.Tensor) -> torch.Tensor:
    weight, bias = encoder.patch_embed.proj.weight, encoder.patch_embed.proj.bias
    cut = video.unfold(3, 4, 4).unfold(4, 4, 4)  # (B, 3, T, rows, columns, 4, 4)
    flat = cut.permute(0, 2, 3, 4, 1, 5, 6).flatten(1, 3).flatten(2)
    tokens = F.linear(flat, weight.flatten(1), bias)
    return torch.cat([encoder.cls_token.expand(len(video), -1, -1), tokens], dim=1)


def _attention(attention: Any, x: torch.Tensor) -> torch.Tensor:
    width, heads = x.shape[-1], attention.heads
    q, k, v = torch.split(F.linear(x, attention.qkv.weight), width, dim=-1)
    q, k = _rms(q, attention.q_norm.weight), _rms(k, attention.k_norm.weight)
    split = [part.view(*part.shape[:2], heads, -1) for part in (q, k, v)]
    logits = torch.einsum("bqhd,bkhd->bhqk", split[0], split[1]) / (width // heads) ** 0.5
    mixed = torch.einsum("bhqk,bkhd->bqhd", logits.softmax(dim=-1), split[2]).flatten(2)
    return F.linear(mixed, attention.proj.weight, attention.proj.bias)
