"""What two decoders answer to the same prompts, by kind of question. Knows no engine and no weights.

Agreement is not rightness: made-up windows have no truth. It says what the rounding of weights changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.contract.dialogue import Kind
from runtime.engines.base import Array
from train.augment.bank_words import slots_in


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt and what both decoders make of it: `ours` the int4 one's, `theirs` torch's.

    Attributes:
        ours, theirs: greedy answers.
        clear: torch's best token was well ahead of its second at every word; elsewhere rounding may decide.
        ours_nats, theirs_nats: surprise at each token of a given answer, in nats.
        ours_yes, theirs_yes: logit of yes less that of no; None where the answer is neither.
    """

    kind: Kind
    ours: str
    theirs: str
    clear: bool
    ours_nats: Sequence[float]
    theirs_nats: Sequence[float]
    ours_yes: float | None = None
    theirs_yes: float | None = None


def surprise(logits: Array, token: int) -> float:
    """Minus the logarithm of a token's probability, from logits (V,)."""
    wide = logits.astype(np.float64)
    top = float(wide.max())
    return float(np.log(np.exp(wide - top).sum())) + top - float(wide[token])


def same_slots(ours: str, theirs: str) -> tuple[int, int]:
    """How many slots both answers fill alike, and how many either fills.

    A slot is a word that carries a fact: verdict, action, room, colour and kind of a garment, or that the
    answer declines.
    """
    a, b = slots_in(ours), slots_in(theirs)
    names = a.keys() | b.keys()
    return sum(a.get(name) == b.get(name) for name in names), len(names)


def by_kind(pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Figures of each kind of question, and of `all` together; see `figures`."""
    kinds = list(dict.fromkeys(pair.kind for pair in pairs))
    found = {str(kind): figures([pair for pair in pairs if pair.kind == kind]) for kind in kinds}
    return {**found, "all": figures(pairs)}


def kinds_told(kinds: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for a person to read of each kind in `by_kind`; a share of nothing is a dash."""
    return [
        f"int4 against torch, {kind}: slots {_shown(found, 'slots')}, yes/no {_shown(found, 'yes_no')}, "
        f"perplexity {found['perplexity']:.3f} (torch {found['perplexity_torch']:.3f}), "
        f"{found['prompts']:.0f} prompts"
        for kind, found in kinds.items()
    ]


def figures(pairs: Sequence[Pair]) -> dict[str, float]:
    """Agreement on some prompts.

    Returns:
        `prompts`; `slots_asked`, how many slots were filled, and `slots`, the share filled alike;
        `clear_slots_asked` and `clear_slots`, the same where torch was clear at every word; `words`, the
        share of answers that are the same; `perplexity` and `perplexity_torch` of the given answers, and
        their ratio `perplexity_ratio`; where yes or no was asked, `yes_no`, the share with the same verdict,
        and `drift` and `drift_max`, mean and largest difference of the probability of yes. A share of
        nothing is left out.
    """
    ours, theirs = (
        math.exp(float(np.mean(np.concatenate(nats))))
        for nats in ([pair.ours_nats for pair in pairs], [pair.theirs_nats for pair in pairs])
    )
    found = {
        "prompts": float(len(pairs)),
        "words": sum(pair.ours == pair.theirs for pair in pairs) / len(pairs),
        "perplexity": ours,
        "perplexity_torch": theirs,
        "perplexity_ratio": ours / theirs,
        **_slots("slots", pairs),
        **_slots("clear_slots", [pair for pair in pairs if pair.clear]),
    }
    verdicts = [
        (pair.ours_yes, pair.theirs_yes)
        for pair in pairs
        if pair.ours_yes is not None and pair.theirs_yes is not None
    ]
    if verdicts:
        found["yes_no"] = sum((a > 0) == (b > 0) for a, b in verdicts) / len(verdicts)
        drifts = [abs(_probability(a) - _probability(b)) for a, b in verdicts]
        found["drift"], found["drift_max"] = sum(drifts) / len(drifts), max(drifts)
    return found


def _shown(found: Mapping[str, float], name: str) -> str:
    return f"{found[name]:.3f}" if name in found else "-"


def _slots(name: str, pairs: Sequence[Pair]) -> dict[str, float]:
    counts = [same_slots(pair.ours, pair.theirs) for pair in pairs]
    same, asked = (sum(count[which] for count in counts) for which in (0, 1))
    return {f"{name}_asked": float(asked), **({name: same / asked} if asked else {})}


def _probability(logit: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * logit))
