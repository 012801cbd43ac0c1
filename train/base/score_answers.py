"""How often greedy answers claim the right thing, on people that were never trained on. Knows no training.

The language model is heard only where it is sure enough of its words. How sure that is, is chosen for each
kind of description on one half of the people and measured on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from runtime.contract.dialogue import Kind
from runtime.contract.prompt import NEVER_DESCRIBED, canonical_question
from train.augment.questions import DESCRIBED, make_qa, slots_in
from train.base.bridge_stage import enrol_subjects, run_bridge
from train.base.episodes import EpisodeMaker
from train.base.language_stage import LanguageStage, Words

Recognised = Callable[[float, float], bool]
"""Whether a presence score and a quality mean `yes`: nobody else is ever described."""
WANTED_RIGHT = 0.8
_LEAST_SHARE = 0.05
_KINDS: tuple[Kind, ...] = ("existence", *DESCRIBED)
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: its kind, whom it is about (family), how sure the model was, and whether it is right."""

    kind: Kind
    family: int
    confidence: float
    right: bool


@torch.no_grad()
def collect_answers(
    stage: LanguageStage, maker: EpisodeMaker, *, windows: int, seed: int, recognised: Recognised,
    subjects: int = 1,
) -> list[Told]:  # fmt: skip
    """Answers to canonical questions about fresh windows.

    Existence is asked about everybody; descriptions are asked, as on the box, only of people who are there,
    whose deed, clothes or room can be seen, and whom the evidence recognises. An empty or garbled answer, and
    one that declines, is wrong. The prompt holds `subjects` people; each of them is asked about in turn.
    """
    stage.eval()
    found: list[Told] = []
    inner = stage.bridge_stage
    for start in range(0, windows, _BATCH):
        rng = np.random.default_rng((seed, 41, start))
        slot = start // _BATCH % subjects
        episode = maker.draw(rng, _BATCH, subjects)
        queries, soft, token = enrol_subjects(inner.enrol, episode)
        out = run_bridge(inner.bridge, episode, queries)
        words = Words(out.base_rows, out.subject_rows, soft, token)
        facts = [stage.facts(episode, row) for row in range(_BATCH)]
        known = _known(out.presence[:, slot], out.match[:, slot], episode.geom[..., 4], recognised)
        for kind in _KINDS:
            never = () if kind == "existence" else NEVER_DESCRIBED
            question = canonical_question(kind, (slot,))
            for row, said in enumerate(stage.generate(words, question, without=never)):
                wanted = make_qa(rng, facts[row], kind, (slot,)).target
                if kind != "existence" and ("refused" in wanted or not known[row]):
                    continue
                claimed = slots_in(said.text)
                right = all(claimed.get(name) == value for name, value in wanted.items())
                found.append(Told(kind, int(episode.subjects[row, slot]) // 2, said.confidence, right))
    return found


def least_confidence(answers: Sequence[Told], wanted: float = WANTED_RIGHT) -> float | None:
    """The lowest confidence from which on `wanted` of the answers are right; None where hardly any are.

    One right and one wrong answer are added to each count, so that a few lucky answers prove nothing.
    """
    ordered = sorted(answers, key=lambda told: -told.confidence)
    hits, best = 0, 0
    for count, told in enumerate(ordered, start=1):
        hits += told.right
        if (hits + 1) / (count + 2) >= wanted:
            best = count
    return ordered[best - 1].confidence if best >= max(1.0, _LEAST_SHARE * len(ordered)) else None


def weigh_answers(answers: Sequence[Told]) -> tuple[dict[str, float], dict[str, float]]:
    """Least confidences by kind of description, chosen on even families, and figures of the odd ones.

    Figures: `KIND_right` of all, and of descriptions `KIND_told`, the share that is sure enough, and
    `KIND_told_right`, how many of these are right; `KIND_asked` counts.
    """
    least: dict[str, float] = {}
    figures: dict[str, float] = {}
    for kind in _KINDS:
        fitting = [told for told in answers if told.kind == kind and told.family % 2 == 0]
        held = [told for told in answers if told.kind == kind and told.family % 2 == 1]
        figures[f"{kind}_asked"] = float(len(held))
        figures[f"{kind}_right"] = _share(held)
        threshold = least_confidence(fitting) if kind != "existence" else None
        if threshold is not None:
            least[kind] = round(threshold, 4)
            sure = [told for told in held if told.confidence >= threshold]
            figures[f"{kind}_told"] = round(len(sure) / max(1, len(held)), 4)
            figures[f"{kind}_told_right"] = _share(sure)
    return least, figures


def _share(answers: Sequence[Told]) -> float:
    return round(sum(told.right for told in answers) / max(1, len(answers)), 4)


def _known(presence: Tensor, match: Tensor, quality: Tensor, recognised: Recognised) -> list[bool]:
    best = quality.gather(1, match.argmax(dim=1, keepdim=True))[:, 0]
    return [recognised(float(score), float(good)) for score, good in zip(presence, best, strict=True)]
