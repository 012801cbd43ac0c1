"""Claims about the language model's export that need no built engine, and about the oracle's arithmetic."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper

from export.decoder import DecoderExport
from export.dequantise import dequantise
from export.language import build_language, check_sizes, embedding_table
from runtime.contract.bundle import W4A8
from runtime.contract.errors import BundleError
from runtime.engines.base import Array
from tests.export.conftest import LOOSE, Exported, small_tokenizer
from train.model.language import LanguageConfig
from train.model.language import build_language as decoder_of

pytestmark = pytest.mark.timeout(900)  # whoever comes first waits for the export of the session


@pytest.mark.parametrize("sizes", [LanguageConfig(vocab=512), LanguageConfig(vocab=192)])
def test_vocabulary_as_wide_as_another_layer_is_refused_before_the_builder_runs(
    sizes: LanguageConfig,
) -> None:
    model = decoder_of(sizes)
    with pytest.raises(BundleError, match="size of the vocabulary"):
        build_language(model, small_tokenizer(sizes.vocab), LOOSE.language)


def test_default_sizes_are_not_confused() -> None:
    check_sizes(decoder_of(LanguageConfig()))


def test_manifest_gives_the_sizes_of_the_key_value_cache(exported: Exported) -> None:
    specs = DecoderExport(exported.model.language.config).spec()
    assert exported.bundle.manifest.engines["language"] == dataclasses.replace(specs, precision=W4A8)
    shapes = {spec.name: spec.shape for spec in (*specs.inputs, *specs.outputs)}
    assert shapes["inputs_embeds"] == (1, "L", 192)
    assert shapes["past_key_values.3.value"] == (1, 2, "past", 32)
    assert shapes["logits"] == (1, 1, LanguageConfig().vocab)
    empty = DecoderExport(exported.model.language.config).empty_past()
    assert len(empty) == 8
    assert all(past.shape == (1, 2, 0, 32) and past.dtype == np.float32 for past in empty.values())


def test_embeddings_that_float16_cannot_hold_are_refused() -> None:
    torch.manual_seed(0)
    model = decoder_of(LanguageConfig())
    with pytest.raises(BundleError, match="not exact in float16"):
        embedding_table(model)


def _packed(values: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Two values to a byte where they have 4 bits, the first in the low half."""
    return values if bits == 8 else (values[:, ::2] | (values[:, 1::2] << 4)).astype(np.uint8)


@pytest.mark.parametrize(("bits", "zero"), [(4, True), (4, False), (8, True), (8, False)])
def test_quantised_block_means_value_minus_zero_point_times_scale(bits: int, zero: bool) -> None:
    rng = np.random.default_rng(bits)
    rows, columns, block, blocks = 3, 60, 16, 4
    values = rng.integers(0, 2**bits, (rows, blocks * block)).astype(np.uint8)
    offsets = rng.integers(0, 2**bits, (rows, blocks)).astype(np.uint8)
    scales = rng.normal(size=(rows, blocks)).astype(np.float32)
    arrays: dict[str, Array] = {
        "b": _packed(values, bits).reshape(rows, blocks, -1),
        "s": scales,
        "z": _packed(offsets, bits),
    }
    node = helper.make_node(
        "MatMulNBits", ["a", "b", "s", *(["z"] if zero else [])], ["y"],
        K=columns, N=rows, bits=bits, block_size=block,
    )  # fmt: skip
    got = dequantise(node, arrays)
    for row in range(rows):
        for column in range(columns):
            part = column // block
            start = int(offsets[row, part]) if zero else 2 ** (bits - 1)
            expected = np.float32(int(values[row, column]) - start) * scales[row, part]
            assert got[row, column] == expected
