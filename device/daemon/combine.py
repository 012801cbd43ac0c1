"""Many cameras' answers to one: the truth contract as a pure function. Knows no sockets, clocks and models.

`yes` needs one live camera with a fresh frame that says yes; `no` needs every camera of every room asked
about to be live, fresh and sure of no; partial coverage is `unsure`; nothing to look at is `unavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from device.daemon import wording
from device.daemon.coverage import (
    CameraAnswer,
    Ground,
    Thresholds,
    ground_of,
    join_verdicts,
    merge_verdicts,
)
from runtime.contract.dialogue import (
    Answer,
    AnswerKind,
    CameraReport,
    Evidence,
    Intent,
    SubjectVerdict,
    Verdict,
)

_TOO_LITTLE = "What the cameras show is not enough to tell."
_CHECK = "See `pvchat-edge status`."


def combine(
    intent: Intent,
    answers: Sequence[CameraAnswer],
    reports: Sequence[CameraReport],
    thresholds: Thresholds,
    rooms: Sequence[str],
    *,
    names: Mapping[str, str],
    now: float,
) -> Answer:
    """One answer out of the answers about single cameras.

    Args:
        answers: at most one per camera; cameras that were not asked have none.
        reports: every camera of the home, as it is at `now`, after inference.
        rooms: every room of the home, with or without cameras.
        names: display names by subject id.
        now: POSIX seconds at which the answer is made; ages are measured here.
    """
    ground = ground_of(intent, answers, reports, thresholds, rooms, names, now)
    if not ground.consulted:
        what = "this home" if intent.room is None else f"the room {intent.room}"
        reason = f"No camera looks at {what}. Add one to the device settings and restart the daemon."
        return _unavailable(ground, "I cannot look there.", reason)
    if intent.kind in ("who", "stranger"):
        from_cameras = _who(ground) if intent.kind == "who" else _stranger(ground)
    else:
        from_cameras = _about_subjects(ground)
    positive = from_cameras.verdict == "yes" or from_cameras.kind == "people"
    if ground.refusals and not positive:
        return _refusal(ground)
    if not ground.counted:
        reason = " ".join([*dict.fromkeys(ground.problems), ground.gap, _CHECK]).strip()
        return _unavailable(ground, "I cannot tell right now.", reason)
    return from_cameras


def _subject(ground: Ground, subject_id: str) -> SubjectVerdict:
    """What all counted cameras together say about one subject."""
    found = [one for _, answer in ground.counted if (one := _said(answer, subject_id)) is not None]
    complete = not ground.gap and len(found) == len(ground.counted)
    known = [one.confidence for one in found if one.confidence is not None]
    verdict = merge_verdicts([one.verdict for one in found], complete=complete)
    return SubjectVerdict(subject_id, verdict, max(known, default=None))


def _said(answer: Answer, subject_id: str) -> SubjectVerdict | None:
    return next((one for one in answer.subjects if one.subject_id == subject_id), None)


def _about_subjects(ground: Ground) -> Answer:
    """existence, location, appearance, action."""
    intent = ground.intent
    subjects = tuple(_subject(ground, subject_id) for subject_id in intent.subject_ids)
    verdict = join_verdicts([one.verdict for one in subjects])
    known = [one.confidence for one in subjects if one.confidence is not None]
    kind: AnswerKind = "verdict" if intent.kind == "existence" else "description"
    deciding = [pair for pair in ground.counted if verdict != "yes" or _any_yes(pair[1], intent.subject_ids)]
    text = _sentence(ground, subjects, verdict)
    if verdict == "yes" and len(subjects) == 1 and _describes(ground, intent):
        deciding = [max(deciding, key=lambda pair: _confidence(pair[1], intent.subject_ids[0]))]
        text = deciding[0][1].text or text
    return _answer(
        ground,
        kind=kind,
        text=text,
        verdict=verdict,
        confidence=min(known) if known and verdict != "unavailable" else None,
        subjects=subjects,
        deciding=deciding,
    )


def _any_yes(answer: Answer, subject_ids: Sequence[str]) -> bool:
    return any(one.verdict == "yes" and one.subject_id in subject_ids for one in answer.subjects)


def _describes(ground: Ground, intent: Intent) -> bool:
    """Whether the runtime's own words are the answer: not when somebody is seen in two rooms at once."""
    if intent.kind == "location":
        return len(_rooms_with(ground, intent.subject_ids[0])) == 1
    return intent.kind in ("appearance", "action")


def _confidence(answer: Answer, subject_id: str) -> float:
    """Of a yes about somebody; -1 without one."""
    one = _said(answer, subject_id)
    return -1.0 if one is None or one.verdict != "yes" else one.confidence or 0.0


def _sentence(ground: Ground, subjects: Sequence[SubjectVerdict], verdict: Verdict) -> str:
    intent = ground.intent
    who = wording.named(intent.subject_ids, ground.names)
    verb = wording.are(len(subjects))
    place = wording.where(intent.room)
    if verdict in ("unsure", "unavailable"):
        return f"I am not sure whether {who} {verb} {place}."
    seen = [one.subject_id for one in subjects if one.verdict == "yes"]
    if verdict == "no":
        absent = [one.subject_id for one in subjects if one.verdict == "no"]
        text = f"No, {wording.named(absent, ground.names)} {wording.are(len(absent))} not {place}"
        if seen:
            text += f", but {wording.named(seen, ground.names)} {wording.are(len(seen))}"
        return f"{text}."
    if intent.kind == "existence" and intent.room is not None:
        return f"Yes, {who} {verb} {place}."
    found = wording.listed(
        [f"{wording.named([one], ground.names)} is {_rooms_of(ground, one)}" for one in seen]
    )
    return f"Yes, {found}." if intent.kind == "existence" else f"{found}."


def _rooms_with(ground: Ground, subject_id: str) -> dict[str, float]:
    """Rooms where somebody is seen, with the best confidence of each, the surest first."""
    best: dict[str, float] = {}
    for camera, answer in ground.counted:
        confidence = _confidence(answer, subject_id)
        if confidence >= 0:
            room = ground.rooms[camera]
            best[room] = max(best.get(room, 0.0), confidence)
    return dict(sorted(best.items(), key=lambda item: -item[1]))


def _rooms_of(ground: Ground, subject_id: str) -> str:
    """in the kitchen; or, seen in several, each with its probability."""
    rooms = _rooms_with(ground, subject_id)
    if len(rooms) == 1:
        return wording.in_room(next(iter(rooms)))
    return wording.listed(
        [f"{wording.in_room(room)} ({wording.percent(known)})" for room, known in rooms.items()]
    )


def _who(ground: Ground) -> Answer:
    ids = dict.fromkeys(one.subject_id for _, answer in ground.counted for one in answer.subjects)
    subjects = tuple(_subject(ground, subject_id) for subject_id in ids)
    seen = [one for one in subjects if one.verdict == "yes"]
    perhaps = [one.subject_id for one in subjects if one.verdict == "unsure" and _unsure_itself(ground, one)]
    unknown = _unknown_people(ground)
    sure = [one.confidence for one in seen if one.confidence is not None]
    together: dict[str, list[str]] = {}
    for one in seen:
        together.setdefault(_rooms_of(ground, one.subject_id), []).append(one.subject_id)
    parts = [
        f"{wording.named(people, ground.names)} {wording.are(len(people))} {place}"
        for place, people in together.items()
    ]
    if unknown:
        parts.append(
            f"{wording.strangers(unknown)} {wording.are(unknown)} {wording.where(ground.intent.room)}"
        )
    if perhaps:
        parts.append(f"perhaps {wording.named(perhaps, ground.names)} too")
    text = wording.listed(parts) or f"nobody is {wording.where(ground.intent.room)}"
    doubtful = bool(ground.gap) or any(answer.verdict == "unsure" for _, answer in ground.counted)
    if not parts and doubtful:
        text = f"I am not sure whether anybody is {wording.where(ground.intent.room)}"
    return _answer(
        ground,
        kind="people" if parts or not doubtful else "verdict",
        text=f"{text[:1].upper()}{text[1:]}.",
        verdict=None if parts or not doubtful else "unsure",
        confidence=min(sure, default=None),
        subjects=tuple(one for one in subjects if one in seen or one.subject_id in perhaps),
        deciding=list(ground.counted),
        reason=" ".join([*_told(ground), ground.gap]).strip(),
    )


def _unsure_itself(ground: Ground, merged: SubjectVerdict) -> bool:
    """Whether a camera was unsure, rather than all saying no with something out of view."""
    found = [_said(answer, merged.subject_id) for _, answer in ground.counted]
    return any(one is not None and one.verdict == "unsure" for one in found)


def _stranger(ground: Ground) -> Answer:
    said: list[Verdict] = [
        answer.verdict or ("yes" if answer.unknown_people else "no") for _, answer in ground.counted
    ]
    verdict = merge_verdicts(said, complete=not ground.gap)
    deciding = [
        pair for pair, one in zip(ground.counted, said, strict=True) if verdict != "yes" or one == "yes"
    ]
    known = [answer.confidence for _, answer in deciding if answer.confidence is not None]
    place = wording.where(ground.intent.room)
    unknown = _unknown_people(ground)
    texts: dict[Verdict, str] = {
        "yes": f"Yes, {wording.strangers(max(1, unknown))} {wording.are(max(1, unknown))} {place}.",
        "no": f"No, there is nobody {place} whom I do not know.",
        "unsure": f"I am not sure whether somebody unknown is {place}.",
        "unavailable": "I cannot tell right now.",
    }
    return _answer(
        ground,
        kind="verdict",
        text=texts[verdict],
        verdict=verdict,
        confidence=max(known, default=None),
        subjects=(),
        deciding=deciding,
    )


def _unknown_people(ground: Ground) -> int:
    """Cameras of one room may show the same people, so the largest count; rooms add up."""
    by_room: dict[str, int] = {}
    for camera, answer in ground.counted:
        room = ground.rooms[camera]
        by_room[room] = max(by_room.get(room, 0), answer.unknown_people)
    return sum(by_room.values())


def _answer(
    ground: Ground,
    *,
    kind: AnswerKind,
    text: str,
    verdict: Verdict | None,
    confidence: float | None,
    subjects: tuple[SubjectVerdict, ...],
    deciding: Sequence[tuple[str, Answer]],
    reason: str = "",
) -> Answer:
    stamps = [answer.as_of for _, answer in deciding if answer.as_of is not None]
    as_of = max(stamps, default=None)
    if verdict in ("unsure", "unavailable"):
        reason = (
            " ".join([*_told(ground), *dict.fromkeys(ground.problems), ground.gap]).strip() or _TOO_LITTLE
        )
    evidence: dict[Evidence, None] = dict.fromkeys(one for _, answer in deciding for one in answer.evidence)
    timings: dict[str, float] = {}
    for _, answer in ground.counted:
        for name, spent_ms in answer.timings_ms.items():
            timings[name] = timings.get(name, 0.0) + spent_ms
    return Answer(
        kind=kind,
        text=text,
        verdict=verdict,
        confidence=confidence,
        threshold=ground.accept,
        as_of=as_of,
        frame_age_ms=None if as_of is None else max(0.0, (ground.now - as_of) * 1000),
        subjects=subjects,
        unknown_people=_unknown_people(ground),
        cameras=ground.consulted,
        evidence=tuple(evidence),
        reason=reason,
        base=next((answer.base for _, answer in ground.counted if answer.base), ""),
        adapters={who: release for _, answer in ground.counted for who, release in answer.adapters.items()},
        timings_ms=timings,
    )


def _told(ground: Ground) -> list[str]:
    """Reasons of the cameras that were not sure, each once."""
    unsure = [answer for _, answer in ground.counted if answer.verdict not in ("yes", "no")]
    return list(dict.fromkeys(answer.reason for answer in unsure if answer.reason))


def _refusal(ground: Ground) -> Answer:
    """What the first camera said that refused, as far as the model got."""
    said = ground.refusals[0]
    age_ms = None if said.as_of is None else max(0.0, (ground.now - said.as_of) * 1000)
    return replace(
        said,
        kind="refusal",
        text=said.text or "I cannot answer that.",
        verdict=None,
        threshold=ground.accept,
        frame_age_ms=age_ms,
        cameras=ground.consulted,
        reason=said.reason or said.text,
    )


def _unavailable(ground: Ground, text: str, reason: str) -> Answer:
    """An answer that rests on no frame."""
    subjects = tuple(SubjectVerdict(one, "unavailable", None) for one in ground.intent.subject_ids)
    return Answer(
        kind="verdict",
        text=text,
        verdict="unavailable",
        confidence=None,
        threshold=ground.accept,
        subjects=subjects,
        cameras=ground.consulted,
        reason=reason,
    )
