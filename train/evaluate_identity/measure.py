"""Verdicts about queries to figures. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from train.rates import missed_at_false

_MOST = 0.999999


@dataclass(frozen=True, slots=True)
class Query:
    """One clip, asked about everybody enrolled.

    Attributes:
        name: who is in it. enrolled: whether that person is.
        verdicts, confidences: by name of everybody enrolled; a confidence is None where nothing was seen.
        video_s, spent_s: seconds of video, and of looking at it for the first time.
    """

    name: str
    clip: str
    enrolled: bool
    verdicts: dict[str, str]
    confidences: dict[str, float | None]
    video_s: float
    spent_s: float


def figures(queries: Sequence[Query], enrolled: int) -> dict[str, float | None]:
    """Rates by clip.

    `identified`: the right name alone; `missed`: no right name; `unsure`, `false_no`: what was said of the
    person who is there; `wrong_name`: clips with the name of somebody else; `stranger_named`: strangers'
    clips with a name. `..._low`, `..._high`: 95 % interval (Clopper and Pearson, 1934). `fnir_at_fpir_1`:
    by clip, among everybody enrolled; `fnmr_at_fmr_01`: by comparison of a clip with one person (FNMR at
    a FMR of 0.1 %), of which `comparisons_of_others` are of a clip with somebody who is not in it. Both are
    None where there are too few others to tell the rate from zero.
    """
    mated = [query for query in queries if query.enrolled]
    others = [query for query in queries if not query.enrolled]
    found = {
        **_rate("identified", [_names(query) == {query.name} for query in mated]),
        **_rate("unsure", [query.verdicts[query.name] == "unsure" for query in mated]),
        **_rate("false_no", [query.verdicts[query.name] == "no" for query in mated]),
        **_rate("wrong_name", [bool(_names(query) - {query.name}) for query in queries]),
        **_rate("stranger_named", [bool(_names(query)) for query in others]),
    }
    same = np.array([_log_odds(query.confidences[query.name]) for query in mated])
    apart = [
        confidence
        for query in queries
        for name, confidence in query.confidences.items()
        if name != query.name
    ]
    different = np.array([_log_odds(confidence) for confidence in apart])
    best = np.array([max(map(_log_odds, query.confidences.values()), default=-_odds()) for query in others])
    spent = sum(query.spent_s for query in queries)
    return {
        "queries": float(len(mated)),
        "strangers": float(len(others)),
        "enrolled": float(enrolled),
        **found,
        "fnir_at_fpir_1": missed_at_false(same, best, 0.01),
        "fnmr_at_fmr_01": missed_at_false(same, different, 0.001),
        "comparisons_of_others": float(len(different)),
        "realtime_factor": sum(query.video_s for query in queries) / spent if spent > 0 else None,
    }


def _names(query: Query) -> set[str]:
    return {name for name, verdict in query.verdicts.items() if verdict == "yes"}


def _rate(name: str, hits: Sequence[bool]) -> dict[str, float | None]:
    if not hits:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    k, n = sum(hits), len(hits)
    low = 0.0 if k == 0 else float(beta.ppf(0.025, k, n - k + 1))
    high = 1.0 if k == n else float(beta.ppf(0.975, k + 1, n - k))
    return {name: k / n, f"{name}_low": low, f"{name}_high": high}


def _odds() -> float:
    return math.log(_MOST / (1 - _MOST))


def _log_odds(probability: float | None) -> float:
    if probability is None:
        return -_odds()
    p = min(_MOST, max(1 - _MOST, probability))
    return math.log(p / (1 - p))
