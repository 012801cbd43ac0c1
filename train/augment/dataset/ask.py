"""Questions and answers about made clips, one line each. Knows no pixels.

Four kinds in equal number, refusals for whoever is not there in all of them. What nobody knows about a clip
(deed, room, clothes of ordinary footage) is answered with "cannot tell", never made up; so are clothes that a
variation may have covered, cut off or given another colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runtime.contract.dialogue import Kind
from train.augment.bank_facts import Fact
from train.augment.dataset.attributes import Attributes
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.folder import Made
from train.augment.questions import ASKED_KINDS, make_qa
from train.augment.vary.motion import DRIVERS

Row = dict[str, Any]
KEEP_CLOTHES = frozenset({*DRIVERS, "pace", "stutter", "waver", "mirror", "noise", "compression"})
"""Variations after which clothes look as in the source."""


def rows_of(
    clips: Sequence[Made], config: AugmentConfig, subject: str, looks: Mapping[str, Attributes]
) -> list[Row]:
    """The lines of `qa.jsonl`: `questions_each` of each kind about each clip that is kept.

    Args:
        subject: the person's name in the lines' `subjects`; questions hold the slot token `<p1>` alone.
        looks: of the person in each source clip, by its name.
    """
    rows: list[Row] = []
    for clip in clips:
        if not clip.kept:
            continue
        rng = np.random.default_rng((config.seed, 4, int(clip.file[6:14], 16)))
        fact = _fact(clip, looks.get(clip.origin, Attributes()))
        for kind in ASKED_KINDS:
            for _ in range(config.questions_each):
                rows.append(_row(clip, fact, kind, rng, config, subject))
    return rows


def _fact(clip: Made, looks: Attributes) -> Fact:
    """What is true of the person in a clip."""
    if clip.role != "positive":
        return Fact(0, False)
    base, *variations = clip.recipe.split("#")[0].split("+")
    if base not in ("clip", "still") or not KEEP_CLOTHES.issuperset(variations):
        return Fact(0, True)
    top, kind, bottom, below = (
        looks.get(name) for name in ("top_color", "top_kind", "bottom_color", "bottom_kind")
    )
    return Fact(0, True, top_color=top, top_kind=kind, bottom_color=bottom, bottom_kind=below)


def _row(
    clip: Made, fact: Fact, kind: Kind, rng: np.random.Generator, config: AugmentConfig, subject: str
) -> Row:
    qa = make_qa(rng, [fact], kind, (0,), canonical_share=config.canonical_share)
    return {
        "clip": clip.file, "subjects": [subject], "present": [fact.present], "role": clip.role,
        "kind": kind, "question": qa.question, "answer": qa.answer, "target": qa.target,
    }  # fmt: skip
