"""Questions and answers: one meaning for training, runtime, daemon and command line. Knows no models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["existence", "appearance", "action", "location", "who", "stranger"]
"""existence: is A (and B) here / in ROOM? · appearance: what is A wearing? · action: what is A doing? ·
location: where is A? · who: who is in ROOM? · stranger: is anyone there whom you do not know?"""

Verdict = Literal["yes", "no", "unsure", "unavailable"]
AnswerKind = Literal["verdict", "people", "description", "refusal"]
CameraState = Literal["live", "stale", "frozen", "covered", "down", "connecting"]

EXIT_ANSWERED = 0
EXIT_NO = 1
EXIT_UNSURE = 3
EXIT_UNAVAILABLE = 4
EXIT_REFUSED = 6


@dataclass(frozen=True, slots=True)
class Intent:
    """A question that was understood.

    Attributes:
        kind: what is asked.
        subject_ids: who is asked about, in the order of the question; empty for who/stranger.
        room: the room asked about, as configured; None: anywhere.
    """

    kind: Kind
    subject_ids: tuple[str, ...] = ()
    room: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked.

    Attributes:
        text: the user's own words.
        asked_at: POSIX seconds (UTC).
    """

    text: str
    asked_at: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One frame that supports an answer.

    Attributes:
        camera: camera name, or the clip's file name.
        at: POSIX seconds (UTC) of the frame; with a clip, seconds from its start.
        box: x, y, width, height in pixels of the original frame.
        frame_sha256: hash of the frame's RGB bytes.
        subject_id: whom the box shows; None: somebody unknown.
        image: path of the saved evidence picture; empty when none was saved.
        event: by what this can be denied to be the subject; empty when nothing was saved, or nobody named.
    """

    camera: str
    at: float
    box: tuple[int, int, int, int]
    frame_sha256: str
    subject_id: str | None
    image: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class SubjectVerdict:
    """What is known about one subject.

    Attributes:
        subject_id: whom.
        verdict: yes, no, unsure or unavailable.
        confidence: calibrated probability of presence, 0 to 1; None when nothing was seen.
    """

    subject_id: str
    verdict: Verdict
    confidence: float | None


@dataclass(frozen=True, slots=True)
class CameraReport:
    """A camera that was consulted: its state and the age of its newest frame in milliseconds (None: none)."""

    camera: str
    room: str
    state: CameraState
    frame_age_ms: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """What the last look at a camera said, without anybody having asked.

    Attributes:
        camera, room: where.
        at: POSIX seconds of the newest frame of that look.
        subjects: who was there (`yes`) or perhaps was (`unsure`).
        unknown: how many others.
    """

    camera: str
    room: str
    at: float
    subjects: tuple[SubjectVerdict, ...] = ()
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class LastSeen:
    """When and where somebody was seen last; it says nothing of where they are now.

    Attributes:
        subject_id: whom.
        verdict: `yes`, or `unsure`: perhaps it was this one.
        confidence: probability of presence, 0 to 1.
        camera, room: where. at: POSIX seconds of the frame.
    """

    subject_id: str
    verdict: Verdict
    confidence: float | None
    camera: str
    room: str
    at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the system says.

    Attributes:
        kind: verdict, people, description or refusal.
        text: one sentence with display names, for a person to read.
        verdict: for kinds verdict and description; None otherwise.
        confidence: probability that the verdict's claim (presence) holds, 0 to 1; None when unavailable.
        threshold: the probability above which `yes` is said.
        as_of: POSIX seconds (UTC) of the newest frame looked at; None with a clip.
        frame_age_ms: age of that frame when the answer was made; None with a clip.
        subjects: verdict per subject asked about, or, for `people`, per subject seen.
        unknown_people: people in view who are nobody enrolled, or cannot be told.
        cameras: cameras consulted with their state.
        evidence: the frames that prove it.
        reason: why it is unsure, unavailable or refused, and the command that would help; else empty.
        base: fingerprint of the base; adapters: subject id to release number.
        timings_ms: where the time went.
    """

    kind: AnswerKind
    text: str
    verdict: Verdict | None
    confidence: float | None
    threshold: float
    as_of: float | None = None
    frame_age_ms: float | None = None
    subjects: tuple[SubjectVerdict, ...] = ()
    unknown_people: int = 0
    cameras: tuple[CameraReport, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""
    base: str = ""
    adapters: dict[str, int] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)


def exit_code(answer: Answer, *, strict: bool = False) -> int:
    """Exit code of `ask`: 0 answered, 3 unsure, 4 unavailable, 6 refused; `strict` maps `no` to 1."""
    if answer.kind == "refusal":
        return EXIT_REFUSED
    codes: dict[Verdict | None, int] = {
        "unsure": EXIT_UNSURE,
        "unavailable": EXIT_UNAVAILABLE,
        "no": EXIT_NO if strict else EXIT_ANSWERED,
    }
    return codes.get(answer.verdict, EXIT_ANSWERED)
