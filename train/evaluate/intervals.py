"""Means over seeds with 95 % intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_T_975 = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t for 95 %, two-sided, by degrees of freedom."""
MIN_SEEDS = 3


def mean_figures(runs: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Mean of each figure; None where some seed has none."""
    return {name: mean_of_known([run.get(name) for run in runs]) for name in runs[0]}


def half_widths(runs: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Half the width of the 95 % interval of each mean (Student's t); None with fewer than three seeds."""
    return {name: half_width([run.get(name) for run in runs]) for name in runs[0]}


def half_width(values: Sequence[float | None]) -> float | None:
    """Half the width of the 95 % interval of the mean of independent values."""
    known = [value for value in values if value is not None]
    if len(known) < MIN_SEEDS or len(known) < len(values):
        return None
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1))
    return _T_975.get(len(known) - 1, 1.96) * deviation / math.sqrt(len(known))


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """The mean; None without values, or where one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
