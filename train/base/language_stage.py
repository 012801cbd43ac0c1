"""Stage D: questions and answers; language model, bridge and enrolment together. Knows no pixels.

The loss is cross-entropy on the answer alone. The bridge keeps its presence and fact losses, so that what
stage C learned is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MistralForCausalLM

from runtime.contract.prompt import EOS_ID, PAD_ID, SLOTS, TextPiece, build_prompt
from train.augment.questions import QA, Fact, questions_for
from train.base.bridge_stage import BridgeStage, enrol_subjects, run_bridge
from train.base.episodes import Episode
from train.base.world_data import ACTION_NAMES, COLOUR_NAMES
from train.model.bridge import BridgeOutputs
from train.world.script import ROOM_KINDS, TOP_KINDS

_SUBJECT_SHARES = (0.6, 0.28, 0.12)


@dataclass(frozen=True, slots=True)
class Words:
    """What the subjects bring into a prompt: rows (B, S, Q, Dl), soft (B, S, Q, Dl), token (B, S, Dl)."""

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

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; episode and questions depend on seed and step alone."""
        rng = np.random.default_rng((self.seed, 40, step))
        subjects = 1 + int(rng.choice(3, p=_SUBJECT_SHARES))
        stage = self.bridge_stage
        episode = stage.maker.draw(rng, self.batch, subjects)
        queries, soft, token = enrol_subjects(stage.enrol, episode)
        out = run_bridge(stage.bridge, episode, queries)
        asked = [questions_for(self.facts(episode, row), rng, count=1)[0] for row in range(self.batch)]
        answers = self.answer_loss(out, soft, token, asked, episode.scene_valid)
        kept = {
            **stage.presence_loss(out, episode),
            **stage.fact_loss(out, episode),
            **stage.routing(out.scores),
        }
        return {"answer": answers, **{name: 0.5 * part for name, part in kept.items()}}

    def answer_loss(
        self, out: BridgeOutputs, soft: Tensor, token: Tensor, asked: list[QA], weight: Tensor
    ) -> Tensor:
        """Cross-entropy of the answers; a token-only window weighs only where it is asked for existence."""
        prefix = prefix_embeddings(
            self.language, self.tokenizer, Words(out.base_rows, out.subject_rows, soft, token)
        )
        subjects = soft.shape[1]
        questions = [_ids(self.tokenizer, question_text(subjects, qa.question)) for qa in asked]
        answers = [[*_ids(self.tokenizer, qa.answer), EOS_ID] for qa in asked]
        longest = max(len(q) + len(a) for q, a in zip(questions, answers, strict=True))
        ids = torch.full((len(asked), longest), PAD_ID)
        labels = torch.full((len(asked), longest), -100)
        for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
            end = len(question) + len(answer)
            ids[row, :end] = torch.tensor(question + answer)
            if weight[row] > 0 or asked[row].kind == "existence":
                labels[row, len(question) : end] = torch.tensor(answer)
        text = self.language.get_input_embeddings()(ids)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.language(inputs_embeds=torch.cat([prefix, text], dim=1), use_cache=False).logits
        said = logits[:, prefix.shape[1] - 1 : -1].float()
        return F.cross_entropy(said.flatten(0, 1), labels.flatten(), ignore_index=-100)

    def facts(self, episode: Episode, row: int) -> list[Fact]:
        """What is true in one window, as the question bank wants it."""
        facts = []
        for slot in range(episode.present.shape[1]):
            action, room, top, kind, _ = (int(value) for value in episode.facts[row, slot])
            there = bool(episode.present[row, slot] > 0) and bool(episode.told[row, slot] > 0)
            facts.append(
                Fact(
                    slot,
                    there,
                    action=ACTION_NAMES[action] if action >= 0 else None,
                    room=ROOM_KINDS[room] if room >= 0 else None,
                    top_color=COLOUR_NAMES[top] if top >= 0 else None,
                    top_kind=TOP_KINDS[kind] if kind >= 0 and top >= 0 else None,
                )
            )
        return facts

    @torch.no_grad()
    def generate(self, words: Words, questions: list[str], limit: int = 32) -> list[str]:
        """Greedy answers, one prompt after another (prompts differ in length)."""
        prefix = prefix_embeddings(self.language, self.tokenizer, words)
        table = self.language.get_input_embeddings()
        subjects = words.rows.shape[1]
        answers = []
        for row, question in enumerate(questions):
            ids = _ids(self.tokenizer, question_text(subjects, question))
            inputs = torch.cat([prefix[row : row + 1], table(torch.tensor([ids]))], dim=1)
            past, said = None, []
            for _ in range(limit):
                out = self.language(inputs_embeds=inputs, past_key_values=past, use_cache=True)
                best = int(out.logits[0, -1].argmax())
                if best == EOS_ID:
                    break
                said.append(best)
                past, inputs = out.past_key_values, table(torch.tensor([[best]]))
            answers.append(self.tokenizer.decode(said, skip_special_tokens=False))
        return answers
