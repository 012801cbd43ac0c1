"""One seed's answers to one set of figures, and seeds to the line that is printed. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.evaluate.answers import Answers
from train.evaluate.descriptions import NOT_AVAILABLE, bleu_figures, description_figures
from train.evaluate.intervals import half_widths, mean_figures
from train.evaluate.presence import Figures, oracle_figures, presence_figures

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seed:
    """What came of one seed (None: a folder of other people's clips).

    Attributes:
        crop_knn: the plain baseline's figures; None: no head boxes.
        members: identities that were enrolled or refused.
    """

    number: int | None
    answers: Answers
    trained: Answers | None
    crop_knn: Mapping[str, float] | None
    members: int


def figures_of(answers: Answers, events_per_camera_day: int) -> Figures:
    """Everything that is measured of one kind of adapter."""
    bleu, _ = bleu_figures(answers.descriptions)
    return {
        **presence_figures(answers.presence, events_per_camera_day),
        **description_figures(answers.descriptions),
        **bleu,
    }


def counts_of(answers: Answers) -> dict[str, int]:
    """How often what was asked."""
    told = Counter(f"{one.case}{'' if one.told else '_undecidable'}" for one in answers.presence)
    asked = Counter(str(one.kind) for one in answers.descriptions)
    return {**told, **asked, "not_enrolled": len(answers.not_enrolled)}


def result_line(seeds: Sequence[Seed], events_per_camera_day: int, about: Mapping[str, Any]) -> Line:
    """The line: means over seeds, half widths of 95 % intervals under `..._95` (three seeds and more).

    `..._by_members` holds the same for households of each size, intervals under `95`.
    """
    line: Line = {
        "identities": sum(seed.members for seed in seeds),
        "seeds": len(seeds),
        "world_seed": [seed.number for seed in seeds],
        **about,
        "crop_knn": _averaged([seed.crop_knn for seed in seeds]),
    }
    for name in ("instant", "trained"):
        answers = [seed.answers if name == "instant" else seed.trained for seed in seeds]
        known = [one for one in answers if one is not None]
        if len(known) < len(seeds):
            line[name] = None
            continue
        measured = _measured(known, events_per_camera_day)
        line[f"{name}_95"] = measured.pop("95")
        line[name] = measured | {"oracle": mean_figures([oracle_figures(one.presence) for one in known])}
        line[f"{name}_by_members"] = {
            str(size): _measured([one.of_size(size) for one in known], events_per_camera_day)
            for size in sorted({trial.size for one in known for trial in one.presence})
        }
        line[f"{name}_counts"] = dict(sum((Counter(counts_of(one)) for one in known), Counter()))
        seconds = [second for one in known for second in one.enrol_s]
        line[f"{name}_s"] = statistics.median_high(seconds) if seconds else None
    line["bleu_signature"] = bleu_figures(seeds[0].answers.descriptions)[1]
    line["not_available"] = NOT_AVAILABLE
    known_line: Line = rounded(line)
    return known_line


def _measured(runs: Sequence[Answers], events_per_camera_day: int) -> Line:
    """Means over seeds, and under `95` the half widths of their intervals, as far as there are any."""
    figures = [figures_of(one, events_per_camera_day) for one in runs]
    widths = {name: width for name, width in half_widths(figures).items() if width is not None}
    return {**mean_figures(figures), "95": widths}


def rounded(value: Any) -> Any:
    """Numbers to four digits after the point, at any depth."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def _averaged(runs: Sequence[Mapping[str, float] | None]) -> Figures | None:
    known = [run for run in runs if run is not None]
    return mean_figures(known) if len(known) == len(runs) and known else None
