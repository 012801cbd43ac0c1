"""From descriptions to figures: exact slots, BLEU, and metrics whose scorers are not installed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import sacrebleu

from train.evaluate.presence import Figures
from train.evaluate.trials import Description

KINDS = ("appearance", "action", "action_one_frame", "location")
NOT_AVAILABLE = {
    "bertscore": "needs the weights of roberta-large, which are not installed",
    "es": "entity specificity needs a judge model, which is not installed",
    "dc": "descriptive completeness needs a judge model, which is not installed",
}
"""Of the paper's five metrics those that need another model; never replaced by something simpler."""


def description_figures(trials: Sequence[Description]) -> Figures:
    """Share of exact answers by kind; `KIND_told`, the share that got an answer; `KIND_told_right` of these.

    No answer is a wrong one. `SLOT_right` is the share of each slot on its own.
    """
    figures: Figures = {}
    for kind in KINDS:
        asked = [one for one in trials if one.kind == kind]
        told = [one for one in asked if one.said]
        figures[kind] = _share([one.exact for one in asked])
        figures[f"{kind}_told"] = _share([bool(one.said) for one in asked])
        figures[f"{kind}_told_right"] = _share([one.exact for one in told])
    for slot in ("top_color", "top_kind", "bottom_color", "bottom_kind"):
        of_slot = [one.right[slot] for one in trials if one.kind == "appearance" and one.said]
        figures[f"{slot}_right"] = _share(of_slot)
    return figures


def bleu_figures(trials: Sequence[Description]) -> tuple[Figures, str]:
    """Corpus BLEU and BLEU-1, 0..1, of all descriptions, empty ones included; and sacreBLEU's signature."""
    asked = [one for one in trials if one.kind != "action_one_frame"]
    if not asked:
        return {"bleu": None, "bleu_1": None}, ""
    said, gold = [one.said for one in asked], [[one.gold for one in asked]]
    whole, single = sacrebleu.BLEU(), sacrebleu.BLEU(max_ngram_order=1)
    figures: Figures = {
        "bleu": float(whole.corpus_score(said, gold).score) / 100,
        "bleu_1": float(single.corpus_score(said, gold).score) / 100,
    }
    return figures, str(whole.get_signature())


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
