"""Prompts on which the int4 decoder is held against torch. Knows no ONNX.

Where the caller has none of its own: made-up windows through torch's bridge and enrolment, so that the rows
in the prompt have the scale that the decoder was trained on, and the four canonical questions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from export.samples import sample_inputs
from export.specs import torch_specs
from export.wrappers import Floats, engine_modules, run_torch
from runtime.contract.dialogue import Kind
from runtime.contract.prompt import BlockPiece, Piece, build_prompt, canonical_question
from train.model.pvchat import ModelConfig, PVChat

_KINDS: tuple[Kind, ...] = ("existence", "appearance", "action", "location")
_SLOTS: tuple[tuple[int, ...], ...] = ((0,), (0, 1))


@dataclass(frozen=True, slots=True)
class PromptCase:
    """One prompt.

    Attributes:
        pieces: as `runtime.contract.prompt.build_prompt` makes them.
        blocks: rows float32 (L, D) for each block piece.
        subjects: how many people it names.
        yes_no: whether the answer is yes or no.
    """

    pieces: tuple[Piece, ...]
    blocks: Mapping[BlockPiece, Floats]
    subjects: int
    yes_no: bool


def made_prompts(model: PVChat, config: ModelConfig, *, windows: int, seed: int) -> list[PromptCase]:
    """Four questions about each of `windows` made-up windows."""
    specs, modules = torch_specs(config), engine_modules(model)
    cases = []
    for number in range(windows):
        slots = _SLOTS[number % len(_SLOTS)]
        enrolled = []
        for slot in slots:
            tokens = sample_inputs(config, "enrol", size=slot + 1, seed=seed + 100 * number)
            enrolled.append(run_torch(modules["enrol"], specs["enrol"], tokens))
        window = sample_inputs(config, "bridge", size=2, seed=seed + number)
        for slot, adapter in zip(slots, enrolled, strict=True):
            window["queries"][slot] = adapter["queries"]
        rows = run_torch(modules["bridge"], specs["bridge"], window)
        blocks: dict[BlockPiece, Floats] = {BlockPiece("video"): rows["base_rows"]}
        for index, (slot, adapter) in enumerate(zip(slots, enrolled, strict=True)):
            blocks[BlockPiece("token", index)] = np.asarray(adapter["token"][None])
            blocks[BlockPiece("soft", index)] = adapter["soft_tokens"]
            blocks[BlockPiece("rows", index)] = np.asarray(rows["subject_rows"][slot])
        for kind in _KINDS:
            question = canonical_question(kind, list(range(len(slots))))
            pieces = tuple(build_prompt(len(slots), question))
            cases.append(PromptCase(pieces, blocks, len(slots), kind == "existence"))
    return cases
