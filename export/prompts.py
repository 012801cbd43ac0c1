"""Prompts on which the int4 decoder is held against torch. Knows no ONNX.

Where the caller has none of its own: made-up windows through torch's bridge and enrolment, so that the rows
in the prompt have the scale that the decoder was trained on, and the four canonical questions. Each comes
with an answer in training's wording whose facts are drawn by chance: a text that neither decoder chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.samples import sample_inputs
from export.specs import torch_specs
from export.wrappers import Floats, engine_modules, run_torch
from runtime.contract.dialogue import Kind
from runtime.contract.prompt import BlockPiece, Piece, build_prompt, canonical_question
from train.augment.bank_facts import Fact
from train.augment.bank_words import ACTION_PHRASES
from train.augment.questions import make_qa
from train.model.pvchat import ModelConfig, PVChat
from train.world.palette import BOTTOM_COLOURS, CLOTH
from train.world.script import BOTTOM_KINDS, ROOM_PHRASES, TOP_KINDS

_KINDS: tuple[Kind, ...] = ("existence", "appearance", "action", "location")
_SLOTS: tuple[tuple[int, ...], ...] = ((0,), (0, 1))


@dataclass(frozen=True, slots=True)
class PromptCase:
    """One prompt.

    Attributes:
        pieces: as `runtime.contract.prompt.build_prompt` makes them.
        blocks: rows float32 (L, D) for each block piece.
        subjects: how many people it names.
        kind: of the question.
        answer: an answer of that kind, true or not.
    """

    pieces: tuple[Piece, ...]
    blocks: Mapping[BlockPiece, Floats]
    subjects: int
    kind: Kind
    answer: str

    @property
    def yes_no(self) -> bool:
        """Whether the answer begins with yes or no."""
        return self.kind == "existence"


def made_prompts(model: PVChat, config: ModelConfig, *, windows: int, seed: int) -> list[PromptCase]:
    """Four questions about each of `windows` made-up windows.

    Every other prompt holds two people; then existence is asked about both, the rest about the second alone.
    """
    rng = np.random.default_rng([seed, 17])
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
        facts = [_drawn_fact(rng, index) for index in range(len(slots))]
        for kind in _KINDS:
            asked = list(range(len(slots))) if kind == "existence" else [len(slots) - 1]
            pieces = tuple(build_prompt(len(slots), canonical_question(kind, asked)))
            answer = make_qa(rng, facts, kind, asked, canonical_share=1.0).answer
            cases.append(PromptCase(pieces, blocks, len(slots), kind, answer))
    return cases


def _drawn_fact(rng: np.random.Generator, slot: int) -> Fact:
    def one_of(values: Sequence[str]) -> str:
        return values[int(rng.integers(len(values)))]

    return Fact(
        slot,
        True,
        action=one_of(tuple(ACTION_PHRASES)),
        room=one_of(tuple(ROOM_PHRASES)),
        top_color=one_of(tuple(CLOTH)),
        top_kind=one_of(TOP_KINDS),
        bottom_color=one_of(BOTTOM_COLOURS),
        bottom_kind=one_of(BOTTOM_KINDS),
    )
