"""The language engine's inputs and outputs, described with optimum's exporter classes. Knows no weights.

optimum names the sizes of any decoder alike (`NormalizedTextConfigWithGQA`) and makes dummy keys and values
of the right shape; the genai builder makes the graph. What both say must agree, or nothing is exported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from optimum.exporters.base import ExporterConfig
from optimum.utils.input_generators import (
    DummyInputGenerator,
    DummyTextInputGenerator,
    MistralDummyPastKeyValuesGenerator,
)
from optimum.utils.normalized_config import NormalizedTextConfigWithGQA
from transformers import MistralConfig

from export.specs import PATHS
from export.wrappers import Floats
from runtime.contract.bundle import INT4, EngineSpec, TensorSpec

_PAST_AXES = {2: "past"}
_PRESENT_AXES = {2: "total"}


class DummyEmbeddings(DummyInputGenerator):  # type: ignore[misc]
    """Random `inputs_embeds` of the decoder's width."""

    SUPPORTED_INPUT_NAMES = ("inputs_embeds",)

    def __init__(
        self,
        task: str,
        normalized_config: NormalizedTextConfigWithGQA,
        batch_size: int = 1,
        sequence_length: int = 16,
        **_: object,
    ) -> None:
        self.shape = [batch_size, sequence_length, normalized_config.hidden_size]

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Any:
        """A tensor (batch, sequence, width), uniform in -1..1."""
        return self.random_float_tensor(self.shape, framework=framework, dtype=float_dtype)


class DummyPast(MistralDummyPastKeyValuesGenerator):  # type: ignore[misc]
    """Random past keys and values, by the engine's names, one tensor an input."""

    def __init__(self, task: str, normalized_config: Any, past_length: int = 4, **sizes: Any) -> None:
        super().__init__(task, normalized_config, **{**sizes, "sequence_length": past_length})

    def supports_input(self, input_name: str) -> bool:
        """Every `past_key_values.LAYER.key` or `.value`."""
        return input_name.startswith("past_key_values.")

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Any:
        """A tensor (batch, key heads, past, head width)."""
        _, layer, which = input_name.split(".")
        pairs = super().generate("past_key_values", framework, int_dtype, float_dtype)
        return pairs[int(layer)][("key", "value").index(which)]


class DecoderExport(ExporterConfig):  # type: ignore[misc]
    """A decoder that takes embeddings and past keys and values, and gives the last position's logits."""

    NORMALIZED_CONFIG_CLASS = NormalizedTextConfigWithGQA
    DUMMY_INPUT_GENERATOR_CLASSES = (DummyEmbeddings, DummyTextInputGenerator, DummyPast)

    def __init__(self, config: MistralConfig) -> None:
        super().__init__(config, task="text-generation")

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Free axes of each input, in the engine's order."""
        return {
            "inputs_embeds": {1: "L"},
            "attention_mask": {1: "total"},
            **{f"past_key_values.{name}": _PAST_AXES for name in self._layers()},
        }

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """Free axes of each output."""
        return {"logits": {}, **{f"present.{name}": _PRESENT_AXES for name in self._layers()}}

    def _layers(self) -> list[str]:
        count = int(self._normalized_config.num_layers)
        return [f"{layer}.{which}" for layer in range(count) for which in ("key", "value")]

    def spec(self) -> EngineSpec:
        """The manifest's entry: sizes of the dummy inputs, letters where an axis is free."""
        dummies = self.generate_dummy_inputs(batch_size=1, sequence_length=3, past_length=2)
        inputs = [
            TensorSpec(
                name, str(dummies[name].dtype).removeprefix("torch."), _shape(dummies[name].shape, axes)
            )
            for name, axes in self.inputs.items()
        ]
        outputs = [TensorSpec("logits", "float32", (1, 1, int(self._normalized_config.vocab_size)))]
        for name, axes in list(self.outputs.items())[1:]:
            past = dummies[name.replace("present.", "past_key_values.")]
            outputs.append(TensorSpec(name, "float32", _shape(past.shape, axes)))
        return EngineSpec(PATHS["language"], tuple(inputs), tuple(outputs), precision=INT4)

    def empty_past(self) -> dict[str, Floats]:
        """Past keys and values of no tokens."""
        dummies = self.generate_dummy_inputs(batch_size=1, sequence_length=2, past_length=0)
        return {
            name: np.asarray(value.numpy(), dtype=np.float32)
            for name, value in dummies.items()
            if isinstance(value, torch.Tensor) and name.startswith("past_key_values.")
        }


def _shape(sizes: torch.Size, axes: dict[int, str]) -> tuple[str | int, ...]:
    return tuple(axes.get(axis, int(size)) for axis, size in enumerate(sizes))
