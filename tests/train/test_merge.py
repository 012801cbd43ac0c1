from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from runtime.adapters import read_adapter, write_adapter
from runtime.contract.adapter import Adapter
from runtime.contract.errors import AdapterError, UsageError
from train.base.tokens import build_tokenizer
from train.checkpoint import adapter_shapes, fingerprint, load_base, save_base
from train.merge import HOUSEHOLD, fold_lora, merge
from train.model.pvchat import ModelConfig, build_model


def _adapter(folder: Path, base: str, number: int) -> Path:
    draw = np.random.default_rng(number)
    shapes = adapter_shapes(ModelConfig())
    q, d, dl, k, r = (shapes[letter] for letter in ("Q", "D", "Dl", "K", "R"))
    views = draw.standard_normal((3, shapes["E"]))
    arrays = {
        "queries": draw.standard_normal((q, d)),
        "soft_tokens": draw.standard_normal((q, dl)),
        "token": draw.standard_normal(dl),
        "delta_a": draw.standard_normal((k, d, r)) * 0.1,
        "delta_b": draw.standard_normal((k, r, d)) * 0.1,
        "views.head": views / np.linalg.norm(views, axis=1, keepdims=True),
    }
    adapter = Adapter(
        f"s{number:032x}",
        base,
        "instant",
        1,
        {name: part.astype(np.float32) for name, part in arrays.items()},
    )
    path = folder / f"{number}.safetensors"
    write_adapter(path, adapter)
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("base")
    save_base(folder, build_model(ModelConfig()), ModelConfig(), build_tokenizer().to_str())
    return folder


def test_a_checkpoint_comes_back_with_the_same_weights(base: Path) -> None:
    model, config = load_base(base)
    again, _ = load_base(base)
    assert config == ModelConfig()
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_people_are_stacked_into_the_smallest_number_of_slots_bitwise(base: Path, tmp_path: Path) -> None:
    paths = [_adapter(tmp_path, fingerprint(base), number) for number in (1, 2, 3)]
    line = merge(base, paths, tmp_path / "household")
    assert (line["people"], line["slots"]) == (3, 4)
    stacked = load_file(tmp_path / "household" / HOUSEHOLD)
    adapter, _ = read_adapter(paths[1], base=fingerprint(base), shapes=adapter_shapes(ModelConfig()))
    assert np.array_equal(stacked["queries"][1].numpy(), adapter.arrays["queries"])
    assert stacked["subject_valid"].tolist() == [1, 1, 1, 0]


def test_an_adapter_of_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    path = _adapter(tmp_path, "0" * 64, 4)
    with pytest.raises(AdapterError, match="was made for base"):
        merge(base, [path], tmp_path / "household")


def test_the_same_person_twice_is_refused(base: Path, tmp_path: Path) -> None:
    path = _adapter(tmp_path, fingerprint(base), 5)
    with pytest.raises(UsageError, match="same person"):
        merge(base, [path, path], tmp_path / "household")


def test_a_folded_lora_gives_the_same_logits_and_a_base_of_its_own(base: Path, tmp_path: Path) -> None:
    model, _ = load_base(base)
    lora = get_peft_model(model.language, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]))
    with torch.no_grad():
        for name, parameter in lora.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.1)
    lora.save_pretrained(str(tmp_path / "lora"))
    plain, _ = load_base(base)
    ids = torch.arange(12)[None]
    with torch.no_grad():
        without = plain.language(ids).logits
        folded, gap = fold_lora(plain.language, tmp_path / "lora")
        assert float((folded(ids).logits - without).abs().max()) > 1e-3, "the change must be visible"
    assert gap <= 1e-6
    line = merge(base, [_adapter(tmp_path, fingerprint(base), 6)], tmp_path / "own", tmp_path / "lora")
    assert line["base"] == fingerprint(tmp_path / "own") != fingerprint(base)
