"""Stage D: questions and answers. Knows no pixels.

The language model learns with the last layers that speak to it: the bridge's projection and the words of the
enrolment. What decides presence stays as stage C left it. The loss is cross-entropy on the answer alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MistralForCausalLM

from runtime.contract.prompt import EOS_ID, PAD_ID, SLOTS, Spoken, TextPiece, build_prompt
from train.augment.questions import DESCRIBED, QA, Fact, make_qa, questions_for
from train.base.bridge_stage import BridgeStage, enrol_subjects, run_bridge
from train.base.episodes import Episode
from train.base.world_data import ACTION_NAMES, COLOUR_NAMES
from train.model.language import CACHE, after
from train.precision import mixed
from train.world.palette import BOTTOM_COLOURS
from train.world.script import BOTTOM_KINDS, ROOM_KINDS, TOP_KINDS

_SUBJECT_SHARES = (0.7, 0.2, 0.1)
_CANONICAL_SHARE = 0.85
_DESCRIBE_PRESENT = 0.8


@dataclass(frozen=True, slots=True)
class Words:
    """What the subjects bring into a prompt: rows (B, S, Q, Dl), soft (B, S, W, Dl), token (B, S, Dl)."""

    base: Tensor
    rows: Tensor
    soft: Tensor
    token: Tensor


def prefix_embeddings(language: MistralForCausalLM, tokenizer: Tokenizer, words: Words) -> Tensor:
    """Everything of a prompt before the question: (B, L, Dl)."""
    table: Tensor = language.model.embed_tokens.weight
    batch, subjects = words.rows.shape[:2]
    parts: list[Tensor] = []
    for piece in build_prompt(subjects, "")[:-1]:
        if isinstance(piece, TextPiece):
            parts.append(table[_ids(tokenizer, piece.text)].expand(batch, -1, -1))
        elif piece.block == "video":
            parts.append(words.base)
        elif piece.block == "token":
            slot = table[_ids(tokenizer, SLOTS[piece.subject])]
            parts.append(slot.expand(batch, -1, -1) + words.token[:, piece.subject, None])
        else:
            source = words.soft if piece.block == "soft" else words.rows
            parts.append(source[:, piece.subject])
    return torch.cat(parts, dim=1)


def question_text(subjects: int, question: str) -> str:
    """The last text piece of a prompt."""
    last = build_prompt(subjects, question)[-1]
    if not isinstance(last, TextPiece):
        raise TypeError("a prompt ends with text")
    return last.text


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def answer_loss(
    language: MistralForCausalLM, tokenizer: Tokenizer, words: Words, questions_each: list[list[QA]],
    weight: Tensor,
) -> Tensor:  # fmt: skip
    """Cross-entropy of the answers.

    Args:
        questions_each: the same number of questions for each of the B windows.
        weight: (B,); a window of weight 0 (token-only) counts only where it is asked for existence.
    """
    each = len(questions_each[0])
    prefix = prefix_embeddings(language, tokenizer, words)
    weight = weight.repeat_interleave(each)
    asked = [qa for questions in questions_each for qa in questions]
    subjects = words.soft.shape[1]
    questions = [_ids(tokenizer, question_text(subjects, qa.question)) for qa in asked]
    answers = [[*_ids(tokenizer, qa.answer), EOS_ID] for qa in asked]
    longest = max(len(q) + len(a) for q, a in zip(questions, answers, strict=True))
    ids = torch.full((len(asked), longest), PAD_ID)
    labels = torch.full((len(asked), longest), -100)
    for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        end = len(question) + len(answer)
        ids[row, :end] = torch.tensor(question + answer)
        if weight[row] > 0 or asked[row].kind == "existence":
            labels[row, len(question) : end] = torch.tensor(answer)
    text = language.get_input_embeddings()(ids)
    with mixed():
        past = getattr(language.model(inputs_embeds=prefix, **after(None)), CACHE)
        past.batch_repeat_interleave(each)
        said = language(inputs_embeds=text, **after(past)).logits.float()
    return F.cross_entropy(said[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)


def ask_all_kinds(facts: list[Fact], rng: np.random.Generator) -> list[QA]:
    """One question of each kind about one window; descriptions mostly of somebody who is there."""
    asked = questions_for(facts, rng, count=1, existence_share=1.0, canonical_share=_CANONICAL_SHARE)
    for kind in DESCRIBED:
        wanted = bool(rng.random() < _DESCRIBE_PRESENT)
        pool = [fact.slot for fact in facts if fact.present is wanted] or [fact.slot for fact in facts]
        slot = pool[int(rng.integers(len(pool)))]
        asked.append(make_qa(rng, facts, kind, (slot,), canonical_share=_CANONICAL_SHARE))
    return asked


def _named(names: Sequence[str], index: int) -> str | None:
    return names[index] if index >= 0 else None


class LanguageStage(nn.Module):
    """Language model on top of the bridge stage."""

    def __init__(
        self,
        bridge_stage: BridgeStage,
        language: MistralForCausalLM,
        tokenizer: Tokenizer,
        *,
        batch: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.bridge_stage, self.language = bridge_stage, language
        self.tokenizer, self.batch, self.seed = tokenizer, batch, seed
        bridge_stage.requires_grad_(False)
        bridge_stage.bridge.project_up.requires_grad_(True)
        bridge_stage.enrol.language_out.requires_grad_(True)
        bridge_stage.enrol.soft_tokens.requires_grad_(True)

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; episode and questions depend on seed and step alone."""
        rng = np.random.default_rng((self.seed, 40, step))
        subjects = 1 + int(rng.choice(3, p=_SUBJECT_SHARES))
        stage = self.bridge_stage
        episode = stage.maker.draw(rng, self.batch, subjects)
        queries, soft, token = enrol_subjects(stage.enrol, episode)
        out = run_bridge(stage.bridge, episode, queries)
        asked = [ask_all_kinds(self.facts(episode, row), rng) for row in range(self.batch)]
        words = Words(out.base_rows, out.subject_rows, soft, token)
        loss = answer_loss(self.language, self.tokenizer, words, asked, episode.scene_valid)
        return {"answer": loss}

    def facts(self, episode: Episode, row: int) -> list[Fact]:
        """What is true in one window, as the question bank wants it."""
        facts = []
        for slot in range(episode.present.shape[1]):
            action, room, top, kind, bottom, below = (int(value) for value in episode.facts[row, slot])
            there = bool(episode.present[row, slot] > 0) and bool(episode.told[row, slot] > 0)
            facts.append(
                Fact(
                    slot,
                    there,
                    action=_named(ACTION_NAMES, action),
                    room=_named(ROOM_KINDS, room),
                    top_color=_named(COLOUR_NAMES, top),
                    top_kind=_named(TOP_KINDS, kind),
                    bottom_color=_named(BOTTOM_COLOURS, bottom),
                    bottom_kind=_named(BOTTOM_KINDS, below),
                )
            )
        return facts

    @torch.no_grad()
    def generate(
        self, words: Words, question: str, limit: int = 32, without: Collection[str] = ()
    ) -> list[Spoken]:
        """Greedy answers to one question about each of the B windows; words `without` are never chosen."""
        banned = [number for word in without for number in _ids(self.tokenizer, word)]
        table = self.language.get_input_embeddings()
        ids = _ids(self.tokenizer, question_text(words.rows.shape[1], question))
        prefix = prefix_embeddings(self.language, self.tokenizer, words)
        inputs = torch.cat([prefix, table(torch.tensor([ids])).expand(len(prefix), -1, -1)], dim=1)
        past, said = None, torch.zeros(len(prefix), 0, dtype=torch.long)
        sure, speaking = torch.zeros(len(prefix)), torch.ones(len(prefix), dtype=torch.bool)
        for _ in range(limit):
            out = self.language(inputs_embeds=inputs, **after(past))
            logits = out.logits[:, -1].float()
            logits[:, banned] = -torch.inf
            likely, best = torch.log_softmax(logits, dim=-1).max(dim=-1, keepdim=True)
            said = torch.cat([said, best], dim=1)
            sure += torch.where(speaking, likely[:, 0], 0.0)
            speaking = speaking & (best[:, 0] != EOS_ID)
            if not bool(speaking.any()):
                break
            past, inputs = getattr(out, CACHE), table(best)
        return [
            Spoken(self._text(row), float(value))
            for row, value in zip(said.tolist(), sure.exp(), strict=True)
        ]

    def _text(self, ids: list[int]) -> str:
        end = ids.index(EOS_ID) if EOS_ID in ids else len(ids)
        return str(self.tokenizer.decode(ids[:end], skip_special_tokens=False))
