"""How often greedy answers claim the right thing, on people that were never trained on. Knows no training."""

from __future__ import annotations

import numpy as np
import torch

from runtime.contract.dialogue import Kind
from runtime.contract.prompt import canonical_question
from train.augment.questions import make_qa, slots_in
from train.base.bridge_stage import enrol_subjects, run_bridge
from train.base.episodes import EpisodeMaker
from train.base.language_stage import LanguageStage, Words

_KINDS: tuple[Kind, ...] = ("existence", "action", "appearance", "location")


@torch.no_grad()
def score_answers(stage: LanguageStage, maker: EpisodeMaker, *, windows: int, seed: int) -> dict[str, float]:
    """Share of answers whose claim equals the truth, by kind; questions about people who are there.

    Existence is asked about everybody; an empty or garbled answer counts as wrong.
    """
    stage.eval()
    hits = dict.fromkeys(_KINDS, 0)
    count = dict.fromkeys(_KINDS, 0)
    inner = stage.bridge_stage
    for start in range(0, windows, 16):
        rng = np.random.default_rng((seed, 41, start))
        episode = maker.draw(rng, 16, 1)
        queries, soft, token = enrol_subjects(inner.enrol, episode)
        out = run_bridge(inner.bridge, episode, queries)
        words = Words(out.base_rows, out.subject_rows, soft, token)
        facts = [stage.facts(episode, row) for row in range(16)]
        for kind in _KINDS:
            said = stage.generate(words, [canonical_question(kind, (0,))] * 16)
            for row, text in enumerate(said):
                wanted = make_qa(rng, facts[row], kind, (0,)).target
                if kind != "existence" and "refused" in wanted:
                    continue
                claimed = slots_in(text)
                hits[kind] += int(all(claimed.get(name) == value for name, value in wanted.items()))
                count[kind] += 1
    stage.train()
    return {f"{kind}_right": hits[kind] / max(1, count[kind]) for kind in _KINDS} | {
        f"{kind}_asked": float(count[kind]) for kind in _KINDS
    }
