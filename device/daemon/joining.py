"""One question about several people as one question about each. Pure; knows no cameras and no sockets.

What somebody wears or does can only be described where they are seen, and two people may be seen by different
cameras; so such questions are asked about one person at a time, and their answers are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from device.daemon.coverage import join_verdicts
from runtime.contract.dialogue import Answer, Intent


def split(intent: Intent) -> tuple[Intent, ...]:
    """The questions to ask; just the one, unless a description of several people is wanted."""
    if intent.kind not in ("appearance", "action") or len(intent.subject_ids) < 2:
        return (intent,)
    return tuple(Intent(intent.kind, (one,), intent.room) for one in intent.subject_ids)


def join(answers: Sequence[Answer]) -> Answer:
    """The answers to the questions of `split`, made at the same time, as one. One refusal refuses all."""
    refusal = next((answer for answer in answers if answer.kind == "refusal"), None)
    if len(answers) == 1 or refusal is not None:
        return refusal or answers[0]
    verdict = join_verdicts([answer.verdict or "unsure" for answer in answers])
    known = [answer.confidence for answer in answers if answer.confidence is not None]
    newest = max(answers, key=lambda answer: answer.as_of or 0.0)
    timings: dict[str, float] = {}
    for answer in answers:
        for name, spent_ms in answer.timings_ms.items():
            timings[name] = timings.get(name, 0.0) + spent_ms
    return replace(
        answers[0],
        text=" ".join(answer.text for answer in answers),
        verdict=verdict,
        confidence=min(known) if known and verdict != "unavailable" else None,
        as_of=newest.as_of,
        frame_age_ms=newest.frame_age_ms,
        subjects=tuple(one for answer in answers for one in answer.subjects),
        unknown_people=max(answer.unknown_people for answer in answers),
        evidence=tuple(dict.fromkeys(one for answer in answers for one in answer.evidence)),
        reason=" ".join(dict.fromkeys(answer.reason for answer in answers if answer.reason)),
        base=next((answer.base for answer in answers if answer.base), ""),
        adapters={who: release for answer in answers for who, release in answer.adapters.items()},
        timings_ms=timings,
    )
