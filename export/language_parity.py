"""The shipped int4 decoder against torch, through the runtime's own language model. Knows no bundle.

Two questions, two answers: is the graph right (against torch with the same rounded weights: nearly equal),
and what does the rounding cost (against torch's own weights: do words and verdicts stay the same).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import MistralForCausalLM

from export.config import LanguageExport
from export.decoder import DecoderExport
from export.dequantise import decoder_inputs, run_decoder, with_engine_weights
from export.parity import compare, load_engine, refuse_apart
from export.prompts import PromptCase
from export.wrappers import Arrays, Floats
from runtime.contract.bundle import EngineSpec
from runtime.contract.errors import BundleError
from runtime.engines.base import Array, Engine
from runtime.engines.language import LanguageModel, load_vocabulary

CLEAR_LOGITS = 0.5
"""Where torch's best two tokens are nearer than this, rounding may decide between them."""
_WORDS = 8
_GRAPH_PROMPTS = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """One position: all embeddings up to it (1, L, D), and torch's logits there (V,)."""

    embeds: Floats
    logits: Floats


class TorchDecoder:
    """Torch's decoder behind the runtime's engine interface; it computes every prompt from its beginning."""

    def __init__(self, model: MistralForCausalLM) -> None:
        self._model = model
        self._specs = DecoderExport(model.config).spec()
        self._so_far: list[Array] = []
        self.seen: list[Seen] = []

    @property
    def specs(self) -> EngineSpec:
        """As the int4 engine's."""
        return self._specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As the int4 engine; the past it is given says only whether a new prompt begins."""
        if not inputs["past_key_values.0.key"].shape[2]:
            self._so_far = []
        self._so_far.append(inputs["inputs_embeds"])
        embeds = np.concatenate(self._so_far, axis=1)
        outputs = run_decoder(self._model, embeds)
        self.seen.append(Seen(embeds, outputs["logits"][0, -1]))
        return dict(outputs)


def check_language(
    model: MistralForCausalLM,
    engine: bytes,
    tokenizer_json: str,
    prompts: Sequence[PromptCase],
    config: LanguageExport,
) -> dict[str, float]:
    """Hold the engine against torch.

    Returns:
        `graph_max_abs`, `prefix_max_abs`, `cosine_mean`, `cosine_min`; `top1` and `yes_no` where torch is
        clear (left out where it nowhere is), `top1_all` and `yes_no_all` everywhere; `top1_clear`,
        `yes_no_clear`, `positions` and `prompts`: how many.

    Raises:
        BundleError: no prompts, or one of the figures misses its limit.
    """
    if not prompts:
        raise BundleError("there are no prompts to compare the language engine on.")
    decoder = DecoderExport(model.config)
    loaded, empty = load_engine("language", engine, decoder.spec()), decoder.empty_past()
    torch_decoder = TorchDecoder(model)
    table = np.asarray(model.model.embed_tokens.weight.detach().numpy(), dtype=np.float32)
    vocabulary = load_vocabulary(tokenizer_json.encode())
    ours, theirs = (LanguageModel(part, table, vocabulary) for part in (loaded, torch_decoder))
    verdicts = _verdicts(ours, theirs, prompts)
    for number, case in enumerate(prompts):
        theirs.generate(
            ("words", number), case.pieces, case.blocks, slots=range(case.subjects), max_tokens=_WORDS
        )
    seen = torch_decoder.seen
    logits = [loaded.run(decoder_inputs(one.embeds, empty))["logits"][0, -1] for one in seen]
    report = {
        "prompts": float(len(prompts)),
        "positions": float(len(seen)),
        **_graph(model, engine, loaded, seen, empty),
        **_agreement(logits, [one.logits for one in seen]),
        **verdicts,
    }
    _refuse(report, config)
    return report


def _verdicts(ours: LanguageModel, theirs: LanguageModel, prompts: Sequence[PromptCase]) -> dict[str, float]:
    """Share of yes/no prompts on which both say the same."""
    same, clear = [], []
    for number, case in enumerate(prompts):
        if case.yes_no:
            a, b = (part.yes_no(("verdict", number), case.pieces, case.blocks) for part in (ours, theirs))
            same.append((a > 0) == (b > 0))
            if abs(b) >= CLEAR_LOGITS:
                clear.append(same[-1])
    return _shares("yes_no", same, clear)


def _graph(
    model: MistralForCausalLM, engine: bytes, loaded: Engine, seen: Sequence[Seen], empty: Arrays
) -> dict[str, float]:
    """Against torch with the engine's weights, in one piece and with the past handed back half way."""
    rounded = with_engine_weights(model, engine)
    step = max(1, len(seen) // _GRAPH_PROMPTS)
    whole = prefix = 0.0
    for one in seen[::step]:
        wanted = run_decoder(rounded, one.embeds)
        inputs = decoder_inputs(one.embeds, empty)
        whole = max(whole, *(a.max_abs for a in compare("language", loaded, inputs, wanted)))
        half = one.embeds.shape[1] // 2
        if half:
            first = loaded.run(decoder_inputs(one.embeds[:, :half], empty))
            past = {name: first[name.replace("past_key_values.", "present.")] for name in empty}
            rest = {**inputs, "inputs_embeds": one.embeds[:, half:], **past}
            prefix = max(prefix, *(a.max_abs for a in compare("language", loaded, rest, wanted)))
    return {"graph_max_abs": whole, "prefix_max_abs": prefix}


def _agreement(ours: Sequence[Array], theirs: Sequence[Array]) -> dict[str, float]:
    cosines, same, clear = [], [], []
    for a, b in zip(ours, theirs, strict=True):
        cosines.append(float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9)))
        second, best = np.sort(b)[-2:]
        same.append(bool(np.argmax(a) == np.argmax(b)))
        if best - second >= CLEAR_LOGITS:
            clear.append(same[-1])
    return {
        "cosine_mean": float(np.mean(cosines)),
        "cosine_min": float(np.min(cosines)),
        **_shares("top1", same, clear),
    }


def _shares(name: str, same: Sequence[bool], clear: Sequence[bool]) -> dict[str, float]:
    """A share of nothing is left out, never a perfect score."""
    shares = {f"{name}_clear": float(len(clear))}
    if same:
        shares[f"{name}_all"] = sum(same) / len(same)
    if clear:
        shares[name] = sum(clear) / len(clear)
    return shares


def _refuse(report: Mapping[str, float], config: LanguageExport) -> None:
    refuse_apart(
        {f"language ({name})": report[name] for name in ("graph_max_abs", "prefix_max_abs")},
        config.graph_max_abs,
    )
    lowest = {"cosine_mean": config.min_cosine, "top1": config.min_top1, "yes_no": config.min_yes_no}
    measured = {name: limit for name, limit in lowest.items() if name in report}
    if not all(report[name] >= limit for name, limit in measured.items()):
        figures = ", ".join(
            f"{name} {report[name]:.3f} (wanted {limit:g})" for name, limit in measured.items()
        )
        raise BundleError(
            f"the int4 language engine is too far from torch: {figures}.",
            "Take a smaller block_size or output_layer int8 in the export's configuration.",
        )
