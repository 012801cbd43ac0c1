"""Claims about ConsisID: diffusers' own pipeline with tiny random weights, loaded from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from runtime.contract.errors import ContentError, UsageError
from train.augment.generate.config import GeneratorConfig
from train.augment.generate.consisid import LICENCE, ConsisId, InstalledFaces
from train.augment.generate.order import Order

WORDS = ("<pad>", "</s>", "<unk>", "▁a", "▁person", "▁waves", "▁")
IDENTITY, VIEW = 8, 16


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published pipeline's parts, each as small as it can be."""
    from diffusers import (
        AutoencoderKLCogVideoX,
        CogVideoXDDIMScheduler,
        ConsisIDPipeline,
        ConsisIDTransformer3DModel,
    )
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("consisid")
    transformer = ConsisIDTransformer3DModel(
        num_attention_heads=3, attention_head_dim=16, in_channels=8, out_channels=4, time_embed_dim=2,
        text_embed_dim=32, num_layers=1, sample_width=8, sample_height=8, sample_frames=9,
        use_rotary_positional_embeddings=True, is_train_face=True, cross_attn_interval=1,
        cross_attn_dim_head=8, cross_attn_num_heads=2, LFE_id_dim=IDENTITY, LFE_vit_dim=VIEW, LFE_depth=5,
        LFE_dim_head=8, LFE_num_heads=2, LFE_num_id_token=2, LFE_num_querie=4, LFE_output_dim=32,
    )  # fmt: skip
    vae = AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=2,
    )  # fmt: skip
    ConsisIDPipeline(
        tokenizer=T5Tokenizer(vocab=[(word, -float(rank)) for rank, word in enumerate(WORDS)], extra_ids=0),
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=len(WORDS), d_model=32, d_ff=8, d_kv=8, num_layers=1)
        ),
        vae=vae,
        transformer=transformer,
        scheduler=CogVideoXDDIMScheduler(),
    ).save_pretrained(folder)
    return folder


class Faces:
    """Encoders that tell a face by how bright it is."""

    def encode(self, still: NDArray[np.uint8]) -> tuple[torch.Tensor, list[torch.Tensor], NDArray[np.uint8]]:
        if still.mean() < 4:
            raise ContentError("no face.")
        level = float(still.mean()) / 255
        return torch.full((1, IDENTITY), level), [torch.full((1, 7, VIEW), level)] * 5, still


def config(weights: Path) -> GeneratorConfig:
    return GeneratorConfig(
        "consisid", "consisid", weights=weights, width=64, height=64, frames=9, steps=2, guidance=6.0
    )


def order(level: int = 120, seed: int = 1) -> Order:
    return Order("scene1", np.full((64, 64, 3), level, dtype=np.uint8), "a person waves", None, seed)


def test_scene_in_words_and_a_face_become_a_clip_that_the_seed_decides(weights: Path) -> None:
    generator = ConsisId(config(weights), Faces())
    made, fps = generator.generate(order())
    assert (made.shape, str(made.dtype), fps) == ((9, 64, 64, 3), "uint8", 8.0)
    assert made.std() > 1
    assert np.array_equal(made, generator.generate(order())[0])
    assert not np.array_equal(made, generator.generate(order(seed=2))[0])
    assert not np.array_equal(made, generator.generate(order(level=30))[0])
    with pytest.raises(ContentError, match="no face"):
        generator.generate(order(level=0))


def test_licences_are_named_and_settings_tell_two_makes_apart(weights: Path) -> None:
    generator = ConsisId(config(weights))
    assert generator.licence == LICENCE
    assert all(word in LICENCE for word in ("Apache-2.0", "CogVideoX", "non-commercial"))
    other = GeneratorConfig("consisid", "c", weights=weights, width=64, height=64, frames=9, steps=3)
    assert ConsisId(other).settings != generator.settings


def test_face_encoders_that_are_not_installed_are_named_with_their_licence(weights: Path) -> None:
    with pytest.raises(UsageError, match="insightface") as caught:
        InstalledFaces(weights, "cpu", torch.float32)
    assert "non-commercial" in caught.value.next_step


def test_weights_that_do_not_load_are_a_wrong_call_and_nothing_is_fetched(tmp_path: Path) -> None:
    index = {"_class_name": "ConsisIDPipeline", "vae": ["diffusers", "AutoencoderKLCogVideoX"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(UsageError, match="does not load"):
        ConsisId(config(tmp_path), Faces()).generate(order())
