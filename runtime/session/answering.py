"""Findings and an intent to an answer. Knows no verdict rules, no decoding and no sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.contract.dialogue import Answer, AnswerKind, Intent, Kind, SubjectVerdict, Verdict
from runtime.contract.prompt import Spoken
from runtime.engines.language import LanguageModel
from runtime.people.cluster import spread_views
from runtime.session import words
from runtime.session.decide import ON_SCREEN, Findings, Judgement, Person, combine
from runtime.session.describe import describe
from runtime.session.evidence import evidence_of
from runtime.session.footage import Footage
from runtime.session.judge import Installed
from runtime.session.models import Models
from runtime.session.observe import Observation
from runtime.session.reference import reference_tokens
from runtime.sightings import Sighting

_PERHAPS = 0.5
_SEEN = 16


@dataclass(frozen=True, slots=True)
class Looked:
    """Everything an answer is made from; `now` is POSIX seconds."""

    models: Models
    footage: Footage
    observation: Observation
    installed: Sequence[Installed]
    findings: Findings
    now: float


@dataclass(frozen=True, slots=True)
class _Said:
    """The part of an answer that depends on the question."""

    kind: AnswerKind
    text: str
    verdict: Verdict | None
    confidence: float | None
    subjects: tuple[SubjectVerdict, ...]
    shown: Sequence[Person]
    reason: str = ""


def answer_intent(
    looked: Looked,
    intent: Intent,
    names: Mapping[str, str],
    evidence_dir: Path | None,
    check: Callable[[], None],
    timings_ms: dict[str, float],
) -> Answer:
    """The answer to one question.

    Args:
        timings_ms: kept by reference: what is added later shows up in the answer.
    """
    if intent.kind == "who":
        said = _who(looked, names)
    elif intent.kind == "stranger":
        said = _stranger(looked)
    else:
        said = _about(looked, intent, names, check)
    footage = looked.footage
    age_ms = None if footage.newest_at is None else max(0.0, (looked.now - footage.newest_at) * 1000)
    asked = set(intent.subject_ids) or {one.adapter.subject_id for one in looked.installed}
    return Answer(
        kind=said.kind,
        text=said.text,
        verdict=said.verdict,
        confidence=said.confidence,
        threshold=looked.models.rules(looked.observation.source).accept,
        as_of=footage.newest_at,
        frame_age_ms=age_ms,
        subjects=said.subjects,
        unknown_people=looked.findings.unknown_people,
        evidence=evidence_of(
            said.shown,
            footage,
            looked.observation.digests,
            evidence_dir,
            lambda person: _sighting(looked, person),
        ),
        reason=said.reason,
        base=looked.models.manifest.base,
        adapters={
            one.adapter.subject_id: one.adapter.release
            for one in looked.installed
            if one.adapter.subject_id in asked
        },
        timings_ms=timings_ms,
    )


def _sighting(looked: Looked, person: Person) -> Sighting | None:
    """What was seen of somebody who was given a name; of nobody else is anything kept."""
    if person.subject_id is None:
        return None
    mine = [view for view in looked.observation.views if view.track == person.number]
    frames = looked.footage.clip.frames
    tokens = reference_tokens(
        looked.models, [(spread_views(mine, _SEEN), (frames.shape[2], frames.shape[1]))]
    )
    used = tokens["person_valid"] > 0
    return Sighting(
        person.subject_id, looked.observation.source, looked.models.manifest.base,
        tokens["person_embed"][used], tokens["person_geom"][used],
    )  # fmt: skip


def _about(looked: Looked, intent: Intent, names: Mapping[str, str], check: Callable[[], None]) -> _Said:
    """existence, and what only makes sense of somebody who is there."""
    judgements = [looked.findings.judgements[subject_id] for subject_id in intent.subject_ids]
    verdict = combine(judgements)
    confidences = [one.said.confidence for one in judgements if one.said.confidence is not None]
    confidence = min(confidences, default=None)
    subjects = tuple(one.said for one in judgements)
    place = words.place_of(looked.footage.room)
    if intent.kind == "existence" or verdict != "yes":
        text = words.presence({one.subject_id: one.verdict for one in subjects}, verdict, names, place)
        reason = _reason(looked, judgements, verdict)
        shown = _shown(looked, intent.subject_ids if verdict == "yes" else ())
        return _Said("verdict", text, verdict, confidence, subjects, shown, reason)
    shown = _shown(looked, intent.subject_ids)
    refusal = _cannot_describe(looked, intent.kind)
    if intent.kind == "location" and (looked.footage.room or refusal):
        text = " ".join(_located(looked, one, names) for one in judgements)
        return _Said("description", text, "yes", confidence, subjects, shown)
    if refusal:
        seen = words.named(intent.subject_ids, names)
        text = f"I see {seen} {place}, but I cannot tell more."
        return _Said("refusal", text, None, confidence, subjects, shown, refusal)
    return _describe(looked, intent, judgements, names, check, confidence)


def _describe(
    looked: Looked, intent: Intent, judgements: Sequence[Judgement], names: Mapping[str, str],
    check: Callable[[], None], confidence: float | None,
) -> _Said:  # fmt: skip
    """Of each subject what the language model is sure enough of; of nobody: a refusal."""
    least = looked.models.manifest.calibration.descriptions[intent.kind]
    spoken = [_described(looked, intent.kind, one, names, check) for one in judgements]
    subjects = tuple(one.said for one in judgements)
    shown = _shown(looked, intent.subject_ids)
    unclear = [
        one.said.subject_id for one, said in zip(judgements, spoken, strict=True) if said.confidence < least
    ]
    sentences = [said.text for said in spoken if said.confidence >= least]
    if not unclear:
        return _Said("description", " ".join(sentences), "yes", confidence, subjects, shown)
    seen = f"I see {words.named(unclear, names)} {words.place_of(looked.footage.room)}"
    text = " ".join([*sentences, f"{seen}, but I cannot tell more."])
    reason = (
        f"The model is {min(said.confidence for said in spoken):.0%} sure of the {intent.kind}, "
        f"{least:.0%} is needed. Ask again when more of the person is in view."
    )
    if sentences:
        return _Said("description", text, "yes", confidence, subjects, shown, reason)
    return _Said("refusal", text, None, confidence, subjects, shown, reason)


def _who(looked: Looked, names: Mapping[str, str]) -> _Said:
    findings = looked.findings
    judgements = list(findings.judgements.values())
    seen = [one.said for one in judgements if one.said.verdict == "yes"]
    perhaps = [
        one.said
        for one in judgements
        if one.said.verdict == "unsure" and (one.said.confidence or 0.0) >= _PERHAPS
    ]
    place = words.place_of(looked.footage.room)
    reason = " ".join(findings.doubts)
    shown = _shown(looked, ())
    if not findings.people and findings.doubts:
        text = f"I am not sure whether anybody is {place}."
        return _Said("verdict", text, "unsure", None, (), shown, reason)
    text = words.company([one.subject_id for one in seen], findings.unknown_people, names, place)
    sure = [one.confidence for one in seen if one.confidence is not None]
    return _Said("people", text, None, min(sure, default=None), tuple(seen + perhaps), shown, reason)


def _stranger(looked: Looked) -> _Said:
    """yes: somebody who can be told is surely nobody enrolled; no: everybody in view is enrolled."""
    findings = looked.findings
    rules = looked.models.rules(looked.observation.source)
    open_people = [person for person in findings.people if person.subject_id is None]
    real = [person for person in open_people if not person.pictured]
    clear = [p for p in real if p.tellable and rules.verdict(p.unknown) == "yes"]
    reason = " ".join(findings.doubts)
    verdict: Verdict
    if clear:
        verdict, reason = "yes", ""
    elif open_people or findings.doubts:
        verdict = "unsure"
        alike = "Somebody looks like an enrolled person, but not enough to say so."
        reason = reason or (alike if real else ON_SCREEN)
    else:
        verdict = "no"
    known = max((person.unknown for person in clear or open_people), default=None)
    text = words.stranger(verdict, len(clear), words.place_of(looked.footage.room))
    subjects = tuple(one.said for one in findings.judgements.values() if one.said.verdict == "yes")
    return _Said("verdict", text, verdict, known, subjects, clear or _shown(looked, ()), reason)


def _shown(looked: Looked, subject_ids: Sequence[str]) -> list[Person]:
    """The people to show: only these subjects, or, for none, everybody, the clearest first."""
    people = looked.findings.people
    if subject_ids:
        wanted = [person for person in people if person.subject_id in subject_ids]
        best = {p.subject_id: p for p in sorted(wanted, key=lambda person: person.quality)}
        return [best[subject_id] for subject_id in subject_ids if subject_id in best]
    return sorted(people, key=lambda person: -person.quality)


def _reason(looked: Looked, judgements: Sequence[Judgement], verdict: Verdict) -> str:
    if verdict == "yes":
        return ""
    if verdict == "unsure":
        return " ".join(dict.fromkeys(one.reason for one in judgements if one.reason))
    count = len(looked.findings.people)
    if not count:
        return "Nobody is in view."
    return f"{'1 person is' if count == 1 else f'{count} people are'} in view, all told apart."


def _cannot_describe(looked: Looked, kind: Kind) -> str:
    """Why the installed model cannot say this of this scene; empty: it may try."""
    if looked.observation.source == "face":
        return (
            "This scene is unlike those the installed model was trained on: here it can tell who is there, "
            "not clothes or actions. Ask `is ... here`, or install a base trained on such footage."
        )
    if looked.models.language is None:
        return "The installed bundle has no language model. Install one that has."
    if kind not in looked.models.manifest.calibration.descriptions:
        return (
            f"The installed base did not tell {kind} well enough in its own tests. "
            "Ask `is ... here`, or install a better base."
        )
    if kind == "appearance" and looked.observation.colourless:
        return "The camera sees no colour now, so clothes cannot be told. Ask again by day."
    return ""


def _located(looked: Looked, judgement: Judgement, names: Mapping[str, str]) -> str:
    """Somebody's place: the room, and where in the picture."""
    who = words.named([judgement.said.subject_id], names)
    person = next(p for p in looked.findings.people if p.subject_id == judgement.said.subject_id)
    where = words.position(person.view.head, looked.footage.clip.frames.shape[2])
    room = looked.footage.room
    return f"{who} is {words.place_of(room)}, {where}." if room else f"{who} is {where}."


def _described(
    looked: Looked, kind: Kind, judgement: Judgement, names: Mapping[str, str], check: Callable[[], None]
) -> Spoken:
    """What the language model says of one subject; nothing where there is no model or nobody was found."""
    language, claim = looked.models.language, judgement.claim
    if not isinstance(language, LanguageModel) or claim is None:
        return Spoken("", 0.0)
    check()
    name = words.named([judgement.said.subject_id], names)
    return describe(looked.models, language, looked.observation, looked.installed, claim, kind, name, check)
