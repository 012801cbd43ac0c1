"""The shipped int4 decoder against torch, through the runtime's own language model. Knows no bundle.

Two questions, two answers: is the graph right (against torch with the same rounded weights, and nothing else
rounded: nearly equal), and what does the rounding cost (against torch's own weights: do words and verdicts
stay the same, kind of question by kind of question).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from transformers import MistralForCausalLM

from export.answers import Pair, by_kind, surprise
from export.config import EXACT, LanguageExport
from export.decoder import DecoderExport
from export.dequantise import (
    decoder_inputs,
    logits_of_last,
    run_decoder,
    with_accuracy,
    with_engine_weights,
)
from export.parity import compare, load_engine, refuse_apart
from export.prompts import PromptCase
from export.wrappers import Arrays, Floats
from runtime.contract.bundle import EngineSpec
from runtime.contract.errors import BundleError
from runtime.contract.prompt import EOS, EOS_ID, NEVER_DESCRIBED, SLOTS
from runtime.engines.base import Array, Engine
from runtime.engines.decoder import Decoder
from runtime.engines.language import LanguageModel, Vocabulary, load_vocabulary
from train.model.language import CACHE, after

CLEAR_LOGITS = 0.5
"""Where torch's best two tokens are nearer than this, rounding may decide between them."""
_WORDS = 24
_GRAPH_PROMPTS = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """One position: all embeddings up to it (1, L, D), and torch's logits there (V,)."""

    embeds: Floats
    logits: Floats


class TorchDecoder:
    """Torch's decoder behind the runtime's engine interface; one prompt at a time, it keeps its own past."""

    def __init__(self, model: MistralForCausalLM) -> None:
        self._model = model
        self._specs = DecoderExport(model.config).spec()
        self._so_far: list[Array] = []
        self._past: Any = None
        self.seen: list[Seen] = []

    @property
    def specs(self) -> EngineSpec:
        """As the int4 engine's."""
        return self._specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """As the int4 engine; the past it is given says only whether a new prompt begins, and comes back."""
        if not inputs["past_key_values.0.key"].shape[2]:
            self._so_far, self._past = [], None
        embeds = inputs["inputs_embeds"]
        self._so_far.append(embeds)
        with torch.inference_mode():
            out = self._model(inputs_embeds=torch.from_numpy(embeds), logits_to_keep=1, **after(self._past))
        self._past = getattr(out, CACHE)
        logits = np.asarray(out.logits.numpy(), dtype=np.float32)
        self.seen.append(Seen(np.concatenate(self._so_far, axis=1), logits[0, -1]))
        keys = {
            f"present.{index}.{name}": np.asarray(getattr(layer, f"{name}s").numpy(), dtype=np.float32)
            for index, layer in enumerate(self._past.layers)
            for name in ("key", "value")
        }
        return {"logits": logits, **keys}


def check_language(
    model: MistralForCausalLM,
    engine: bytes,
    tokenizer_json: str,
    prompts: Sequence[PromptCase],
    config: LanguageExport,
) -> dict[str, Any]:
    """Hold the engine against torch.

    Returns:
        `graph_max_abs`, `prefix_max_abs`, `cosine_mean`, `cosine_min`; `top1` and `yes_no` where torch is
        clear (left out where it nowhere is), `top1_all` everywhere; `top1_clear`, `yes_no_clear`, `positions`
        and `prompts`: how many. `kinds`: `export.answers.figures` by kind of question, and of `all`.

    Raises:
        BundleError: no prompts, or one of the figures misses its limit.
    """
    if not prompts:
        raise BundleError("there are no prompts to compare the language engine on.")
    asked = ask_both(model, engine, tokenizer_json, prompts)
    report = {
        "prompts": float(len(prompts)),
        "positions": float(len(asked.theirs)),
        **_graph(model, engine, asked),
        **_agreement(asked.ours, [one.logits for one in asked.theirs]),
        **_clear_verdicts(asked.pairs),
        "kinds": by_kind(asked.pairs),
    }
    _refuse(report, config)
    return report


@dataclass(frozen=True, slots=True)
class Asked:
    """Both decoders on the same prompts.

    Attributes:
        loaded: the int4 engine. decoder: the same, fed in pieces. empty: its keys and values of no tokens.
        theirs: torch at every position, along its own greedy answers. ours: the engine's logits there.
        pairs: one for each prompt.
    """

    loaded: Engine
    decoder: Decoder
    empty: Arrays
    theirs: list[Seen]
    ours: list[Array]
    pairs: list[Pair]


def ask_both(
    model: MistralForCausalLM, engine: bytes, tokenizer_json: str, prompts: Sequence[PromptCase]
) -> Asked:
    """Put every prompt to both decoders, the engine in the runtime's own session and language model."""
    decoder = DecoderExport(model.config)
    loaded, torch_decoder = load_engine("language", engine, decoder.spec()), TorchDecoder(model)
    table = np.asarray(model.model.embed_tokens.weight.detach().numpy(), dtype=np.float32)
    vocabulary = load_vocabulary(tokenizer_json.encode())
    ours, theirs = (LanguageModel(part, table, vocabulary) for part in (loaded, torch_decoder))
    asked = Asked(loaded, Decoder(loaded), decoder.empty_past(), torch_decoder.seen, [], [])
    for number, case in enumerate(prompts):
        begin = len(asked.theirs)
        they, we = (_say(part, number, case) for part in (theirs, ours))
        path = asked.theirs[begin:]  # before the question, after it, then after each word
        asked.ours.extend(_follow(asked.decoder, [one.embeds for one in path]))
        prompt = path[1].embeds
        ids = [*vocabulary.encode(case.answer), EOS_ID]
        whole = np.concatenate([prompt, table[ids[:-1]][None]], axis=1)
        ends = range(prompt.shape[1], whole.shape[1] + 1)
        given = _follow(asked.decoder, [whole[:, :end] for end in ends])
        wanted = logits_of_last(model, whole, len(ids))
        verdicts: tuple[float | None, float | None] = (None, None)
        if case.yes_no:
            there = path[1].logits
            verdicts = (
                ours.yes_no(number, case.pieces, case.blocks),
                float(there[vocabulary.yes] - there[vocabulary.no]),
            )
        banned = _never_said(vocabulary, case)
        clear = all(_margin(np.delete(one.logits, banned)) >= CLEAR_LOGITS for one in path[1:])
        asked.pairs.append(
            Pair(
                case.kind, we, they, clear,
                [surprise(row, token) for row, token in zip(given, ids, strict=True)],
                [surprise(row, token) for row, token in zip(wanted, ids, strict=True)],
                *verdicts,
            )
        )  # fmt: skip
    return asked


def _say(part: LanguageModel, number: int, case: PromptCase) -> str:
    never = () if case.yes_no else NEVER_DESCRIBED
    slots = range(case.subjects)
    said = part.generate({number: case.blocks}, case.pieces, slots=slots, max_tokens=_WORDS, without=never)
    return said.text


def _never_said(vocabulary: Vocabulary, case: PromptCase) -> list[int]:
    """Tokens that `LanguageModel.generate` passes over in answers to this prompt."""
    said = {EOS, *SLOTS[: case.subjects]}
    special = [number for token, number in vocabulary.special.items() if token not in said]
    words = () if case.yes_no else NEVER_DESCRIBED
    return special + [number for word in words for number in vocabulary.encode(word)]


def _follow(decoder: Decoder, path: Sequence[Floats]) -> list[Array]:
    """The engine's logits after each of ever longer embeddings (1, L, D), fed in pieces as on the box."""
    found, state, before = list[Array](), decoder.empty, 0
    for embeds in path:
        state, logits = decoder.feed(state, embeds[0, before:])
        found.append(logits)
        before = embeds.shape[1]
    return found


def _margin(logits: Array) -> float:
    second, best = np.partition(logits, -2)[-2:]
    return float(best - second)


def _clear_verdicts(pairs: Sequence[Pair]) -> dict[str, float]:
    """Share of yes/no prompts on which both say the same, where torch is clear."""
    clear = [
        (pair.ours_yes > 0) == (pair.theirs_yes > 0)
        for pair in pairs
        if pair.ours_yes is not None and pair.theirs_yes is not None and abs(pair.theirs_yes) >= CLEAR_LOGITS
    ]
    return _shares("yes_no", clear)


def _graph(model: MistralForCausalLM, engine: bytes, asked: Asked) -> dict[str, float]:
    """Against torch with the engine's weights, in one piece and with the past handed back half way.

    With float32 activations: whether the graph is right is asked apart from what rounding them costs, which
    shows in the answers.
    """
    rounded, empty, seen = with_engine_weights(model, engine), asked.empty, asked.theirs
    exact = with_accuracy(onnx.load_from_string(engine), EXACT)
    loaded = load_engine("language", exact, asked.loaded.specs)
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
        same.append(bool(np.argmax(a) == np.argmax(b)))
        if _margin(b) >= CLEAR_LOGITS:
            clear.append(same[-1])
    return {
        "cosine_mean": float(np.mean(cosines)),
        "cosine_min": float(np.min(cosines)),
        "top1_all": sum(same) / len(same),
        **_shares("top1", clear),
    }


def _shares(name: str, clear: Sequence[bool]) -> dict[str, float]:
    """A share of nothing is left out, never a perfect score."""
    shares = {f"{name}_clear": float(len(clear))}
    if clear:
        shares[name] = sum(clear) / len(clear)
    return shares


def _refuse(report: Mapping[str, Any], config: LanguageExport) -> None:
    refuse_apart(
        {f"language ({name})": report[name] for name in ("graph_max_abs", "prefix_max_abs")},
        config.graph_max_abs,
    )
    figures = {
        **report["kinds"]["all"],
        **{name: report.get(name) for name in ("cosine_mean", "top1", "yes_no")},
    }
    limits = {
        "cosine_mean": config.min_cosine, "top1": config.min_top1, "yes_no": config.min_yes_no,
        "clear_slots": config.min_slots, "drift": config.max_drift,
    }  # fmt: skip
    missed = []
    for name, limit in limits.items():
        got = figures.get(name)
        if got is not None and not (got <= limit if name == "drift" else got >= limit):
            missed.append(f"{name} {got:.3f} (wanted {limit:g})")
    if missed:
        raise BundleError(
            f"the int4 language engine is too far from torch: {', '.join(missed)}.",
            "Take a smaller block_size or output_layer int8 in the export's configuration.",
        )
