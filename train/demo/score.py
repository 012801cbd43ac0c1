"""Right or wrong: an answer, as the command line prints it, against the truth. Pure; knows no processes.

Yes-or-no questions need the same verdict: `unsure` is wrong. A description must name every slot of the truth.
`who` must name the members who are there, nobody else, and say whether somebody unknown is there too.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.augment.questions import slots_in
from train.demo.story import Question
from train.demo.truth import Truth

MIN_ASKED = 12
_MIN_RIGHT = 10 / 12


@dataclass(frozen=True, slots=True)
class Mark:
    """What an answer is worth.

    Attributes:
        right: as the module says.
        false_yes: it says of somebody who is not there that they are.
        fooled: the same, while a stranger or a look-alike was in view.
    """

    right: bool
    false_yes: bool
    fooled: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with everything that came of it.

    Attributes:
        scene: the scene or chapter it was asked in.
        answer: the JSON object of `pvchat-edge ask`; holds `error` when there was no answer.
        wall_ms: from the start of the command to its end.
        pictures: evidence, JPEG.
    """

    scene: str
    question: Question
    answer: Mapping[str, Any]
    truth: Truth
    mark: Mark
    wall_ms: float
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Updates:
    """How many updates were installed, and how many tampered ones were refused."""

    applied: int = 0
    refused: int = 0


def score(question: Question, truth: Truth, answer: Mapping[str, Any], persons: Mapping[str, str]) -> Mark:
    """Compare.

    Args:
        persons: person id of each enrolled subject id.
    """
    if "error" in answer:
        return Mark(False, False, False)
    claimed = _claimed(answer, persons)
    wrong_stranger = question.kind == "stranger" and answer.get("verdict") == "yes" and not truth.others
    false_yes = bool(claimed - truth.here) or wrong_stranger
    return Mark(_right(question, truth, answer, claimed), false_yes, false_yes and truth.others > 0)


def _claimed(answer: Mapping[str, Any], persons: Mapping[str, str]) -> set[str]:
    """Whom an answer says to be there; a subject that nobody enrolled counts under its own id."""
    return {
        persons.get(str(one["subject_id"]), str(one["subject_id"]))
        for one in answer.get("subjects", ())
        if one["verdict"] == "yes"
    }


def _right(question: Question, truth: Truth, answer: Mapping[str, Any], claimed: set[str]) -> bool:
    if question.kind == "who":
        unknown = int(answer.get("unknown_people", 0)) > 0
        return answer.get("kind") == "people" and claimed == truth.here and unknown == (truth.others > 0)
    if truth.verdict is not None:
        return answer.get("verdict") == truth.verdict
    if answer.get("kind") != "description" or answer.get("verdict") != "yes":
        return False
    said = slots_in(str(answer.get("text", "")))
    return all(said.get(name) == value for name, value in truth.slots.items())


def summarise(asked: Sequence[Asked], updates: Updates, seconds: float) -> dict[str, Any]:
    """The demo's last line; `first_ms`, `followup_ms` and `described_ms` as `TimesInside` says, medians."""
    inside = times_inside(asked)
    return {
        "asked": len(asked),
        "correct": sum(one.mark.right for one in asked),
        "false_yes": sum(one.mark.false_yes for one in asked),
        "ask_ms_p50": median_ms(one.wall_ms for one in asked),
        "first_ms": median_ms(inside.first),
        "followup_ms": median_ms(inside.followup),
        "described_ms": median_ms(inside.described),
        "ota_applied": updates.applied,
        "ota_refused": updates.refused,
        "seconds": round(seconds, 1),
    }


@dataclass(frozen=True, slots=True)
class TimesInside:
    """Milliseconds in the daemon, without the command that asks, of questions about the cameras.

    Attributes:
        first: the first question in each scene or chapter.
        followup: those after it.
        described: those answered in the decoder's words, first or not; they count nowhere else.
    """

    first: tuple[float, ...]
    followup: tuple[float, ...]
    described: tuple[float, ...]


def times_inside(asked: Sequence[Asked]) -> TimesInside:
    """Errors and questions about files count nowhere."""
    spent: dict[str, list[float]] = {"first": [], "followup": [], "described": []}
    scenes = set()
    for one in asked:
        spent_ms = one.answer.get("timings_ms", {}).get("daemon_total")
        if spent_ms is None or one.question.clip is not None:
            continue
        place = "followup" if one.scene in scenes else "first"
        spent["described" if one.answer["kind"] == "description" else place].append(spent_ms)
        scenes.add(one.scene)
    return TimesInside(**{place: tuple(times) for place, times in spent.items()})


def median_ms(values: Iterable[float]) -> float | None:
    """The middle value, to a tenth; None without any."""
    known = list(values)
    return round(statistics.median(known), 1) if known else None


def shortcomings(asked: Sequence[Asked], updates: Updates) -> list[str]:
    """Why the demo has failed, a sentence each; empty: it has not."""
    right = sum(one.mark.right for one in asked)
    found = []
    if len(asked) < MIN_ASKED:
        found.append(f"Only {len(asked)} questions were asked, {MIN_ASKED} are wanted.")
    if right < _MIN_RIGHT * len(asked) - 1e-9:
        found.append(f"{right} of {len(asked)} answers are right; 10 of 12 are wanted.")
    fooled = [one for one in asked if one.mark.fooled]
    if fooled:
        found.append(f"A stranger or look-alike was taken for a member: {fooled[0].question.text!r}.")
    if updates.applied < 1:
        found.append("No update was installed.")
    if updates.refused < 1:
        found.append("No tampered update was refused.")
    return found
