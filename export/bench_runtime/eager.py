"""The bundle's own checkpoint in PyTorch eager, behind the runtime's engine interface. Knows no clips.

So the session that is measured is the same, to the last line; only what computes is exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import DynamicCache, MistralForCausalLM

from export.specs import torch_specs
from export.wrappers import engine_modules, run_torch
from runtime.contract.bundle import Bundle, EngineSpec
from runtime.contract.errors import BundleError
from runtime.engines.base import Array, Engine
from runtime.engines.language import LanguageModel, load_vocabulary
from runtime.session.models import Models
from train.checkpoint import TOKENIZER, load_base
from train.model.language import after

CHECKPOINT = "checkpoint"


class EagerEngine:
    """One module."""

    def __init__(self, module: nn.Module, specs: EngineSpec) -> None:
        self._module, self._specs = module, specs

    @property
    def specs(self) -> EngineSpec:
        """As the engine's."""
        return self._specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As the engine."""
        return dict(run_torch(self._module, self._specs, inputs))


class EagerDecoder:
    """Transformers' decoder; within one answer it keeps keys and values as transformers itself does."""

    def __init__(self, model: MistralForCausalLM, specs: EngineSpec) -> None:
        self._model, self._specs = model, specs
        self._layers = len(model.model.layers)

    @property
    def specs(self) -> EngineSpec:
        """As the engine's."""
        return self._specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As the engine."""
        cache = DynamicCache()
        with torch.inference_mode():
            if inputs["past_key_values.0.key"].shape[2]:
                for layer in range(self._layers):
                    keys, values = (inputs[f"past_key_values.{layer}.{what}"] for what in ("key", "value"))
                    cache.update(torch.from_numpy(keys), torch.from_numpy(values), layer)
            found = self._model(
                inputs_embeds=torch.from_numpy(inputs["inputs_embeds"]),
                attention_mask=torch.from_numpy(inputs["attention_mask"]),
                logits_to_keep=1,
                **after(cache),
            )
        outputs = {"logits": found.logits}
        kept: list[Any] = list(cache.layers)
        for number, one in enumerate(kept):
            outputs[f"present.{number}.key"] = one.keys
            outputs[f"present.{number}.value"] = one.values
        return {name: np.ascontiguousarray(value.numpy()) for name, value in outputs.items()}


def eager_models(bundle: Bundle, models: Models, threads: int) -> Models:
    """The same models with PyTorch in place of every engine.

    Args:
        models: the bundle's, loaded by the runtime.
        threads: CPU threads, as the engines have.

    Raises:
        BundleError: the bundle does not carry its checkpoint, or no language model.
    """
    torch.set_num_threads(threads)
    folder = bundle.path(CHECKPOINT)
    model, config = load_base(folder)
    if models.language is None:
        raise BundleError("the bundle has no language model to measure.", "Export it with one.")
    specs = torch_specs(config)
    engines: dict[str, Engine] = {
        role: EagerEngine(module, specs[role]) for role, module in engine_modules(model).items()
    }
    table = model.language.model.embed_tokens.weight.detach().numpy()
    decoder = EagerDecoder(model.language, models.manifest.engines["language"])
    vocabulary = load_vocabulary((folder / TOKENIZER).read_bytes())
    language = LanguageModel(decoder, np.asarray(table, dtype=np.float32), vocabulary)
    return Models(models.manifest, engines, language, models.domain, engine_id="eager")
