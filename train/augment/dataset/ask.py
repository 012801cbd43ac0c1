"""Questions and answers about made clips, one line each. Knows no pixels.

Four kinds in equal number, refusals for whoever is not there in all of them. What nobody knows about a clip
(deed, clothes, room of ordinary footage) is answered with "cannot tell", never made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runtime.contract.dialogue import Kind
from train.augment.bank_facts import Fact
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.folder import Made
from train.augment.questions import ASKED_KINDS, make_qa

Row = dict[str, Any]


def rows_of(clips: Sequence[Made], config: AugmentConfig, subject: str) -> list[Row]:
    """The lines of `qa.jsonl`: `questions_each` of each kind about each clip that is kept.

    Args:
        subject: the person's name in the lines' `subjects`; questions hold the slot token `<p1>` alone.
    """
    rows: list[Row] = []
    for clip in clips:
        if not clip.kept:
            continue
        rng = np.random.default_rng((config.seed, 4, int(clip.file[6:14], 16)))
        fact = Fact(0, clip.role == "positive")
        for kind in ASKED_KINDS:
            for _ in range(config.questions_each):
                rows.append(_row(clip, fact, kind, rng, config, subject))
    return rows


def _row(
    clip: Made, fact: Fact, kind: Kind, rng: np.random.Generator, config: AugmentConfig, subject: str
) -> Row:
    qa = make_qa(rng, [fact], kind, (0,), canonical_share=config.canonical_share)
    return {
        "clip": clip.file, "subjects": [subject], "present": [fact.present], "role": clip.role,
        "kind": kind, "question": qa.question, "answer": qa.answer, "target": qa.target,
    }  # fmt: skip
