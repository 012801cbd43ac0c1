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
_MOST = 4


def rows_of(
    clips: Sequence[Made], config: AugmentConfig, subject: str, looks: Mapping[str, Attributes]
) -> list[Row]:
    """The lines of `qa.jsonl`, about each clip that is kept, the four kinds in equal number.

    A clip gets `questions_each` of each kind; where there are fewer clips with the person than without, or
    the other way round, those get more, up to four times as many: "yes" is right as often as "no".

    Args:
        subject: the person's name in the lines' `subjects`; questions hold the slot token `<p1>` alone.
        looks: of the person in each source clip, by its name.
    """
    kept = [clip for clip in clips if clip.kept]
    sides = [[clip for clip in kept if (clip.role == "positive") is there] for there in (True, False)]
    wanted = max(map(len, sides)) * config.questions_each
    each = {
        clip.file: count
        for side in sides
        for clip, count in zip(side, _shares(wanted, len(side), _MOST * config.questions_each), strict=True)
    }
    rows: list[Row] = []
    for clip in kept:
        rng = np.random.default_rng((config.seed, 4, int(clip.file[6:14], 16)))
        fact = fact_of(clip, looks.get(clip.origin, Attributes()))
        for kind in ASKED_KINDS:
            for _ in range(each[clip.file]):
                rows.append(row_of(clip.file, clip.role, [fact], [subject], kind, (0,), rng, config))
    return rows


def _shares(total: int, parts: int, most: int) -> list[int]:
    """`total` in equal parts, the first one larger by 1 where it does not go into them; none above `most`."""
    return [min(most, total // parts + (index < total % parts)) for index in range(parts)]


def fact_of(clip: Made, looks: Attributes, slot: int = 0) -> Fact:
    """What is true of the person of a dataset in one of its clips."""
    if clip.role != "positive":
        return Fact(slot, False)
    base, *variations = clip.recipe.split("#")[0].split("+")
    if base not in ("clip", "still") or not KEEP_CLOTHES.issuperset(variations):
        return Fact(slot, True)
    top, kind, bottom, below = (
        looks.get(name) for name in ("top_color", "top_kind", "bottom_color", "bottom_kind")
    )
    return Fact(slot, True, top_color=top, top_kind=kind, bottom_color=bottom, bottom_kind=below)


def row_of(
    clip: str, role: str, facts: Sequence[Fact], subjects: Sequence[str], kind: Kind, asked: Sequence[int],
    rng: np.random.Generator, config: AugmentConfig,
) -> Row:  # fmt: skip
    """One line: a question about the subjects in `asked` (places in `subjects`) and its true answer."""
    qa = make_qa(rng, facts, kind, asked, canonical_share=config.canonical_share)
    return {
        "clip": clip, "subjects": list(subjects), "present": [fact.present for fact in facts],
        "asked": list(asked), "role": role, "kind": kind, "question": qa.question, "answer": qa.answer,
        "target": qa.target, "rewritten": False,
    }  # fmt: skip
