"""How often greedy answers claim the right thing, on people that were never trained on. Knows no training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from runtime.contract.dialogue import Kind
from runtime.contract.prompt import canonical_question
from train.augment.questions import make_qa, slots_in
from train.base.bridge_stage import enrol_subjects, run_bridge
from train.base.episodes import EpisodeMaker
from train.base.language_stage import LanguageStage, Words

Recognised = Callable[[float, float], bool]
"""Whether a presence score and a quality mean `yes`: nobody else is ever described."""
_KINDS: tuple[Kind, ...] = ("existence", "action", "appearance", "location")
_BATCH = 32


@torch.no_grad()
def score_answers(
    stage: LanguageStage, maker: EpisodeMaker, *, windows: int, seed: int, recognised: Recognised
) -> dict[str, float]:
    """Share of answers whose claim equals the truth, by kind, and how many were asked.

    Existence is asked about everybody; descriptions are asked, as on the box, only of people who are there,
    whose deed, clothes or room can be seen, and whom the evidence recognises. An empty or garbled answer
    counts as wrong.
    """
    stage.eval()
    hits = dict.fromkeys(_KINDS, 0)
    count = dict.fromkeys(_KINDS, 0)
    inner = stage.bridge_stage
    for start in range(0, windows, _BATCH):
        rng = np.random.default_rng((seed, 41, start))
        episode = maker.draw(rng, _BATCH, 1)
        queries, soft, token = enrol_subjects(inner.enrol, episode)
        out = run_bridge(inner.bridge, episode, queries)
        words = Words(out.base_rows, out.subject_rows, soft, token)
        facts = [stage.facts(episode, row) for row in range(_BATCH)]
        known = _known(out.presence[:, 0], out.match[:, 0], episode.geom[..., 4], recognised)
        for kind in _KINDS:
            said = stage.generate(words, canonical_question(kind, (0,)))
            for row, text in enumerate(said):
                wanted = make_qa(rng, facts[row], kind, (0,)).target
                if kind != "existence" and ("refused" in wanted or not known[row]):
                    continue
                claimed = slots_in(text)
                hits[kind] += int(all(claimed.get(name) == value for name, value in wanted.items()))
                count[kind] += 1
    return {f"{kind}_right": hits[kind] / max(1, count[kind]) for kind in _KINDS} | {
        f"{kind}_asked": float(count[kind]) for kind in _KINDS
    }


def _known(presence: Tensor, match: Tensor, quality: Tensor, recognised: Recognised) -> list[bool]:
    best = quality.gather(1, match.argmax(dim=1, keepdim=True))[:, 0]
    return [recognised(float(score), float(good)) for score, good in zip(presence, best, strict=True)]
