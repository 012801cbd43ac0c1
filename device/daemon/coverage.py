"""What a combined answer may stand on: which cameras count, what is out of view, how claims add up. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from device.daemon import wording
from device.daemon.camera_state import is_fresh
from runtime.contract.dialogue import Answer, CameraReport, Intent, Verdict


@dataclass(frozen=True, slots=True)
class CameraAnswer:
    """What the runtime said about the newest window of one camera.

    Attributes:
        camera: its name.
        answer: None: there was none.
        problem: why there was none, with the next step.
    """

    camera: str
    answer: Answer | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as fresh, and as sure.

    Attributes:
        accept: probability from which `yes` is said, 0..1.
        max_frame_age_ms: an older frame proves nothing.
    """

    accept: float
    max_frame_age_ms: float = 5000.0

    def fresh(self, age_ms: float | None) -> bool:
        """Whether a frame of this age proves anything."""
        return is_fresh(age_ms, self.max_frame_age_ms)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a combined answer stands on.

    Attributes:
        intent, names, now: as given to `combine`.
        counted: live and fresh cameras with an answer, in the order of the reports.
        rooms: room of each camera.
        consulted: every camera of the rooms asked about.
        gap: why not everything was seen; empty: every camera of every room asked about counts.
        refusals: answers of live cameras where the model cannot answer this kind of question.
        problems: why cameras gave no answer.
        accept: threshold of `yes`.
    """

    intent: Intent
    names: Mapping[str, str]
    now: float
    counted: tuple[tuple[str, Answer], ...]
    rooms: Mapping[str, str]
    consulted: tuple[CameraReport, ...]
    gap: str
    refusals: tuple[Answer, ...]
    problems: tuple[str, ...]
    accept: float


def ground_of(
    intent: Intent,
    answers: Sequence[CameraAnswer],
    reports: Sequence[CameraReport],
    thresholds: Thresholds,
    rooms: Sequence[str],
    names: Mapping[str, str],
    now: float,
) -> Ground:
    """See `combine` for the arguments."""
    scope = list(rooms) if intent.room is None else [intent.room]
    consulted = tuple(report for report in reports if intent.room is None or report.room == intent.room)
    by_camera = {item.camera: item for item in answers}
    counted: list[tuple[str, Answer]] = []
    missing: list[CameraReport] = []
    refusals: list[Answer] = []
    for report in consulted:
        item = by_camera.get(report.camera)
        answer = item.answer if item is not None else None
        trusted = report.state == "live" and thresholds.fresh(report.frame_age_ms)
        if (
            trusted
            and answer is not None
            and answer.kind == "refusal"
            and _may_refuse(answer, now, thresholds)
        ):
            refusals.append(answer)
            missing.append(report)
        elif trusted and answer is not None and thresholds.fresh(_age_ms(answer, now)):
            counted.append((report.camera, answer))
        else:
            missing.append(report)
    bare = [room for room in scope if all(report.room != room for report in consulted)]
    return Ground(
        intent=intent,
        names=names,
        now=now,
        counted=tuple(counted),
        rooms={report.camera: report.room for report in consulted},
        consulted=consulted,
        gap=wording.missing_cameras(missing, bare),
        refusals=tuple(refusals),
        problems=tuple(
            item.problem for report in missing if (item := by_camera.get(report.camera)) and item.problem
        ),
        accept=max([thresholds.accept, *(answer.threshold for _, answer in counted)]),
    )


def _may_refuse(answer: Answer, now: float, thresholds: Thresholds) -> bool:
    """A refusal may rest on no frame at all, but not on an old one."""
    return answer.as_of is None or thresholds.fresh(_age_ms(answer, now))


def _age_ms(answer: Answer, now: float) -> float | None:
    return None if answer.as_of is None else (now - answer.as_of) * 1000


def merge_verdicts(verdicts: Sequence[Verdict], *, complete: bool) -> Verdict:
    """One claim over several cameras: any yes is yes; no only if all say no and nothing was left out."""
    if "yes" in verdicts:
        return "yes"
    seen = [verdict for verdict in verdicts if verdict != "unavailable"]
    if not seen:
        return "unavailable"
    return "no" if complete and len(seen) == len(verdicts) and set(seen) == {"no"} else "unsure"


def join_verdicts(verdicts: Sequence[Verdict]) -> Verdict:
    """Several claims that must all hold (A and B): one no is no, all yes is yes."""
    for verdict in ("no", "unavailable", "unsure"):
        if verdict in verdicts:
            return verdict
    return "yes" if verdicts else "unsure"
