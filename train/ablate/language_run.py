"""One way to describe people, trained for a while on a frozen bridge and measured on people it never saw.

Clips with held-out combinations are never trained on; figures are of all other clips, and of these alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.dialogue import Kind
from runtime.contract.prompt import NEVER_DESCRIBED, canonical_question
from train.ablate.bridge_run import Ground
from train.ablate.combinations import held_out_combination
from train.ablate.variants import LanguageVariant
from train.augment.questions import DESCRIBED, Fact, make_qa, slots_in
from train.base.bridge_stage import FACT_SIZES, BridgeStage, enrol_subjects, run_bridge
from train.base.episodes import FACTS, Episode, EpisodeMaker
from train.base.language_stage import LanguageStage, Words, answer_loss, ask_all_kinds
from train.base.run import load_part
from train.base.tokens import build_tokenizer
from train.base.world_data import ACTION_NAMES, COLOUR_NAMES
from train.fit import FitConfig, fit
from train.model.bridge import BridgeOutputs
from train.model.enrol import Enrol
from train.model.face_stream import FaceStream, FaceStreamConfig
from train.model.language import build_language
from train.model.paper.pooling import PooledProjector, PoolingConfig
from train.model.pvchat import build_model
from train.world.palette import BOTTOM_COLOURS
from train.world.script import BOTTOM_KINDS, ROOM_KINDS, TOP_KINDS

_BATCH, _TEST_BATCH = 16, 32
_POOLED = PoolingConfig(frames=4, rows=2, columns=2)


class Describer(nn.Module):
    """A variant on top of a frozen bridge: what it reads of a window, and its loss."""

    def __init__(
        self, ground: Ground, variant: LanguageVariant, bridge: Path, seed: int, speaker: Path | None = None
    ) -> None:
        """`speaker`: what `speaker_run` trained; its language model is taken, and random weights without."""
        super().__init__()
        torch.manual_seed(seed)
        sizes = ground.config.model
        model = build_model(sizes)
        enrol = Enrol(replace(sizes.enrol, soft=variant.soft))
        maker = ground.maker(held_out=False, token_only=0.0)
        kept = ~held_out_combination(ground.data)
        self.maker = EpisodeMaker(
            ground.data, ground.features, first=maker.first, last=maker.last, clips_each=maker.clips_each,
            token_only=0.0, allowed=kept,
        )  # fmt: skip
        inner = BridgeStage(model.bridge, enrol, self.maker, batch=1, subjects=1, seed=seed)
        load_bridge(inner, bridge)
        self.stage = LanguageStage(
            inner, build_language(sizes.language), build_tokenizer(), batch=_BATCH, seed=seed
        )
        if speaker:
            load_part(self.stage.language, speaker, "stage.language")
        self.variant, self.seed = variant, seed
        dim = sizes.bridge.dim
        self.slots = nn.ModuleList(nn.Linear(dim, size) for size in FACT_SIZES)
        self.pooled = PooledProjector(_POOLED, sizes.bridge.scene_dim, sizes.bridge.language_dim)
        levels = (sizes.bridge.signs_dim, sizes.bridge.embed_dim, dim)
        self.faces = FaceStream(FaceStreamConfig(dim=dim, levels=levels, queries=sizes.bridge.queries))

    def loss(self, step: int) -> dict[str, Tensor]:
        """Cross-entropy of answers, or of each slot."""
        rng = np.random.default_rng((self.seed, 70, step))
        episode = self.maker.draw(rng, _BATCH, 1)
        out, words = self.read(episode)
        if self.variant.speaker == "slots":
            return {
                name: F.cross_entropy(
                    head(out.hidden[:, 0, index]), episode.facts[:, 0, index], ignore_index=-1
                )
                for index, (name, head) in enumerate(zip(FACTS, self.slots, strict=True))
                if bool((episode.facts[:, 0, index] >= 0).any())
            }
        asked = [ask_all_kinds(self.stage.facts(episode, row), rng) for row in range(_BATCH)]
        return {
            "answer": answer_loss(self.stage.language, self.stage.tokenizer, words, asked, torch.ones(_BATCH))
        }

    def read(self, episode: Episode) -> tuple[BridgeOutputs, Words]:
        """The bridge, frozen, and what the prompt gets of it."""
        inner = self.stage.bridge_stage
        queries, soft, token = enrol_subjects(inner.enrol, episode)
        out = run_bridge(inner.bridge, episode, queries)
        base, rows = out.base_rows, out.subject_rows
        if self.variant.video == "pooled":
            config = inner.bridge.config
            grid = (len(episode.scene), config.frames, config.scene_rows, config.scene_columns, -1)
            base = self.pooled.pool(episode.scene.view(grid))
        if self.variant.faces:
            levels = [episode.signs, episode.embed, out.person]
            fused = self.faces(out.hidden[:, 0], levels, episode.valid, queries[:, 0])
            rows = inner.bridge.project_up(fused.rows)[:, None]
        return out, Words(base, rows, soft, token)

    @torch.no_grad()
    def right(self, episode: Episode) -> dict[str, list[bool]]:
        """By kind, for each window whose subject can be described: whether all slots are right."""
        out, words = self.read(episode)
        found: dict[str, list[bool]] = {}
        for kind in DESCRIBED:
            told = self._slots(out, kind) if self.variant.speaker == "slots" else self._said(words, kind)
            for row, claimed in enumerate(told):
                rng = np.random.default_rng(0)
                wanted = make_qa(rng, self.stage.facts(episode, row), kind, (0,)).target
                if "refused" not in wanted:
                    found.setdefault(kind, []).append(all(claimed.get(n) == v for n, v in wanted.items()))
        return found

    def _said(self, words: Words, kind: Kind) -> list[dict[str, str]]:
        question = canonical_question(kind, (0,))
        return [slots_in(said.text) for said in self.stage.generate(words, question, without=NEVER_DESCRIBED)]

    def _slots(self, out: BridgeOutputs, kind: Kind) -> list[dict[str, str]]:
        """What the classifiers claim, as a template would say it."""
        picks = [head(out.hidden[:, 0, index]).argmax(dim=-1) for index, head in enumerate(self.slots)]
        told = []
        for row in range(len(out.hidden)):
            action, room, top, garment, bottom, below = (int(pick[row]) for pick in picks)
            fact = Fact(
                0, True, action=ACTION_NAMES[action], room=ROOM_KINDS[room], top_color=COLOUR_NAMES[top],
                top_kind=TOP_KINDS[garment], bottom_color=BOTTOM_COLOURS[bottom],
                bottom_kind=BOTTOM_KINDS[below],
            )  # fmt: skip
            told.append(make_qa(np.random.default_rng(0), [fact], kind, (0,)).target)
        return told


def load_bridge(stage: BridgeStage, path: Path) -> None:
    """A trained bridge stage; of the enrolment what fits another number of soft tokens."""
    state = {n.removeprefix("model."): t for n, t in load_file(path).items() if n.startswith("model.")}
    own = stage.state_dict()
    for name in ("enrol.seeds", "enrol.soft_tokens"):
        rows = min(len(own[name]), len(state[name]))
        fresh = own[name].clone()
        fresh[:rows] = state[name][:rows]
        state[name] = fresh
    stage.load_state_dict(state)


def train_describer(
    describer: Describer, steps: int, report: Callable[[int, int], None], checkpoint: Path | None = None
) -> None:
    """Train it for so many steps in all; what a checkpoint has behind it counts."""
    settings = FitConfig(steps=steps, learning_rate=1.5e-3, warmup_steps=50)
    fit(
        describer.train(), [(describer, 1.0)], describer.loss, settings, checkpoint=checkpoint,
        metrics=checkpoint and checkpoint.with_suffix(".jsonl"),
        progress=lambda step, _means, _seconds: report(step, steps),
    )  # fmt: skip


def run_describer(
    ground: Ground, variant: LanguageVariant, bridge: Path, seed: int, steps: int,
    report: Callable[[int, int], None], speaker: Path | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train and measure: exact answers by kind, and the same (`KIND_new`) on held-out combinations alone."""
    describer = Describer(ground, variant, bridge, seed, speaker)
    train_describer(describer, steps, report)
    describer.eval()
    base = ground.maker(held_out=True, token_only=0.0)
    apart = held_out_combination(ground.data)
    figures: dict[str, float] = {}
    for suffix, allowed in (("", ~apart), ("_new", apart)):
        maker = EpisodeMaker(
            ground.data, ground.features, first=base.first, last=base.last, clips_each=base.clips_each,
            token_only=0.0, allowed=allowed,
        )  # fmt: skip
        counts: dict[str, list[bool]] = {}
        for index in range(ground.batches):
            episode = maker.draw(np.random.default_rng((seed, 71, index)), _TEST_BATCH, 1)
            for kind, hits in describer.right(episode).items():
                counts.setdefault(kind, []).extend(hits)
        figures |= {f"{kind}{suffix}": float(np.mean(hits)) for kind, hits in counts.items()}
    return figures
