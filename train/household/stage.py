"""Joint learning: members' rows, the routers, a low-rank change of the language model, last vision blocks.

A step has windows of members and of people who are nobody in the household, and windows to rehearse with.
Losses: presence where it may be told, SPR and HAE, answers, and a leash to the instant adapters. Another
member's window never counts against somebody. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.adapter import Adapter
from train.augment.bank_facts import Fact
from train.augment.questions import QA, make_qa
from train.base.language_stage import Words, answer_loss, ask_all_kinds
from train.household.config import HouseholdConfig
from train.household.windows import Lessons, Rehearsal, Window
from train.losses import RoutingLoss
from train.model.bridge import BridgeInputs, BridgeOutputs
from train.model.pvchat import PVChat
from train.model.remoh import Router
from train.subject.footage import head_template

ROWS = ("queries", "soft_tokens", "token", "delta_a", "delta_b")
"""What learns of a member: rows of the bridge, soft tokens and token of the prompt, low-rank changes."""


class Members(nn.Module):
    """The rows of S members, fp32, in slots (S, ...)."""

    def __init__(self, adapters: Sequence[Adapter], seed: int) -> None:
        super().__init__()
        arrays = [{name: torch.from_numpy(one.arrays[name].copy()) for name in ROWS} for one in adapters]
        generator = torch.Generator().manual_seed(seed)
        for one in arrays:
            if not bool(one["delta_a"].any()):
                width = one["delta_a"].shape[1]
                one["delta_a"] = torch.randn(one["delta_a"].shape, generator=generator) * width**-0.5
        self.rows = nn.ParameterDict({name: torch.stack([one[name] for one in arrays]) for name in ROWS})
        templates = torch.stack([torch.from_numpy(head_template(one)) for one in adapters])
        self.register_buffer("templates", templates)
        self.templates: Tensor
        self.start = {name: part.detach().clone() for name, part in self.rows.items()}

    def leash(self) -> Tensor:
        """How far rows are from where they started: sum over parts of the mean square."""
        kept = [name for name in ROWS if name != "delta_a"]
        return torch.stack([(self.rows[name] - self.start[name]).square().mean() for name in kept]).sum()


class HouseholdStage(nn.Module):
    """Everything that learns, and the losses of a step; `vision_learns` from stage 2 on."""

    def __init__(
        self, model: PVChat, tokenizer: Tokenizer, members: Members, routing: RoutingLoss, lessons: Lessons,
        config: HouseholdConfig, *, vision_learns: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.members, self.lessons, self.config = members, lessons, config
        self.model, self.tokenizer, self.routing = model, tokenizer, routing
        model.requires_grad_(False)
        self.routers = nn.ModuleList(part for part in model.bridge.modules() if isinstance(part, Router))
        self.routers.requires_grad_(True)
        self.lora = nn.ParameterDict(
            {name.replace(".", "|"): p for name, p in model.language.named_parameters() if "lora_" in name}
        )
        self.lora.requires_grad_(True)
        self.blocks = nn.ModuleList(list(model.vision.blocks)[-config.vision_blocks :])
        self.vision_learns = vision_learns
        self.blocks.requires_grad_(vision_learns)

    def learned(self) -> nn.ModuleDict:
        """What a checkpoint holds: all that learns in some stage."""
        parts = {"members": self.members, "routers": self.routers, "lora": self.lora, "blocks": self.blocks}
        return nn.ModuleDict({**parts, "routing": self.routing})

    def groups(self) -> list[tuple[nn.Module, float]]:
        """Modules with their learning rate over that of the subjects."""
        rates = self.config.rates
        found: list[tuple[nn.Module, float]] = [
            (self.members, 1.0),
            (self.routers, rates.routers / rates.subjects),
            (self.lora, rates.lora / rates.subjects),
        ]
        return [*found, (self.blocks, rates.vision / rates.subjects)] if self.vision_learns else found

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; the batch depends on seed, stage and step alone."""
        rng = np.random.default_rng((self.config.seed, 62, int(self.vision_learns), step))
        windows, present, weight = self._batch(rng)
        out = self.look(windows)
        told = F.binary_cross_entropy_with_logits(out.presence, present, weight=weight, reduction="sum")
        losses = {
            "presence": told / weight.sum().clamp(min=1.0),
            **self.routing(out.scores),
            "answers": self._answers(out, present, weight, rng),
            "leash": self.config.leash * self.members.leash(),
        }
        return {**losses, "rehearsal": self._rehearse(rng)} if self.lessons.rehearsal else losses

    def look(self, windows: Sequence[Window]) -> BridgeOutputs:
        """The bridge over B windows with every member in a slot."""
        rows = {name: part.expand(len(windows), *part.shape) for name, part in self.members.rows.items()}
        out: BridgeOutputs = self.model.bridge(
            self._inputs(windows, rows["queries"], self.members.templates, rows["delta_a"], rows["delta_b"])
        )
        return out

    @torch.no_grad()
    def held_out(self) -> float:
        """Presence loss on the windows that only measure, both classes weighing the same."""
        own = [(window, number) for number, part in enumerate(self.lessons.held_own) for window in part]
        there = self.look([window for window, _ in own]).presence
        mine = there[torch.arange(len(own)), torch.tensor([number for _, number in own])]
        others = self.look(self.lessons.held_others).presence
        return float((F.softplus(-mine).mean() + F.softplus(others).mean()) / 2)

    def _batch(self, rng: np.random.Generator) -> tuple[list[Window], Tensor, Tensor]:
        """Windows (B), presence (B, S) and what counts of it: a member in own windows, all in others'."""
        lessons, people = self.lessons, len(self.lessons.own)
        windows, present, weight = [], [], []
        for row in range(self.config.batch):
            here = np.zeros(people, dtype=np.float32)
            if row % 2 == 0:
                who = int(rng.integers(people))
                windows.append(lessons.own[who][int(rng.integers(len(lessons.own[who])))])
                here[who] = 1.0
                weight.append(here * people)
            else:
                windows.append(lessons.others[int(rng.integers(len(lessons.others)))])
                weight.append(np.ones(people, dtype=np.float32))
            present.append(here)
        return windows, torch.from_numpy(np.stack(present)), torch.from_numpy(np.stack(weight))

    def _answers(
        self, out: BridgeOutputs, present: Tensor, weight: Tensor, rng: np.random.Generator
    ) -> Tensor:
        """Is somebody here: asked of the member who is, and of anybody where nobody of the household is."""
        batch, people = present.shape
        rows = self.members.rows
        words = Words(
            out.base_rows, out.subject_rows, rows["soft_tokens"].expand(batch, -1, -1, -1),
            rows["token"].expand(batch, -1, -1),
        )  # fmt: skip
        asked: list[list[QA]] = []
        for row in range(batch):
            slots = np.flatnonzero(weight[row].numpy() > 0)
            slot = int(slots[int(rng.integers(len(slots)))])
            facts = [Fact(number, bool(present[row, number] > 0)) for number in range(people)]
            asked.append([make_qa(rng, facts, "existence", (slot,), canonical_share=0.85)])
        return answer_loss(self.model.language, self.tokenizer, words, asked, torch.ones(batch))

    def _rehearse(self, rng: np.random.Generator) -> Tensor:
        """Answers of all kinds about rendered people; their rows stay what enrolment gave."""
        known = self.lessons.rehearsal
        picked = [
            known[int(index)] for index in rng.permutation(len(known))[: max(1, self.config.batch // 2)]
        ]
        out = self._look_rehearsed(picked)
        words = Words(
            out.base_rows, out.subject_rows, torch.stack([one.soft for one in picked])[:, None],
            torch.stack([one.token for one in picked])[:, None],
        )  # fmt: skip
        asked = [ask_all_kinds(list(one.facts), rng) for one in picked]
        return answer_loss(self.model.language, self.tokenizer, words, asked, torch.ones(len(picked)))

    def _look_rehearsed(self, picked: Sequence[Rehearsal]) -> BridgeOutputs:
        config = self.model.bridge.config
        deltas = (len(picked), 1, config.layers)
        out: BridgeOutputs = self.model.bridge(
            self._inputs(
                [one.window for one in picked], torch.stack([one.queries for one in picked])[:, None],
                torch.stack([torch.from_numpy(one.template) for one in picked])[:, None],
                torch.zeros(*deltas, config.dim, config.rank), torch.zeros(*deltas, config.rank, config.dim),
            )
        )  # fmt: skip
        return out

    def _inputs(
        self, windows: Sequence[Window], queries: Tensor, templates: Tensor, delta_a: Tensor, delta_b: Tensor
    ) -> BridgeInputs:
        def stack(arrays: list[np.ndarray[Any, np.dtype[np.float32]]]) -> Tensor:
            return torch.from_numpy(np.stack(arrays))

        batch = len(windows)
        if self.vision_learns:
            pixels = stack([window.pixels for window in windows])
            tokens = self.model.vision.tokens(pixels.flatten(0, 1))
            scene = tokens.view(*pixels.shape[:2], *tokens.shape[1:])
        else:
            scene = stack([window.scene for window in windows])
        if templates.dim() == 2:
            templates = templates.expand(batch, -1, -1)
        return BridgeInputs(
            scene=scene,
            scene_valid=torch.ones(batch),
            embed=stack([window.tokens.embed for window in windows]),
            geom=stack([window.tokens.geom for window in windows]),
            signs=stack([window.tokens.signs for window in windows]),
            valid=stack([window.tokens.valid for window in windows]),
            queries=queries,
            templates=templates,
            subject_valid=torch.ones(queries.shape[:2]),
            delta_a=delta_a,
            delta_b=delta_b,
        )


def learned_adapters(members: Members, instant: Sequence[Adapter], base: str, release: int) -> list[Adapter]:
    """What the members have learned, as adapters of the base `base`."""
    found = []
    for slot, one in enumerate(instant):
        arrays = {name: members.rows[name][slot].detach().numpy().astype(np.float32) for name in ROWS}
        found.append(
            replace(one, base=base, kind="trained", release=release, arrays={**one.arrays, **arrays})
        )
    return found
