"""Sentences of combined answers, with display names. Knows no verdict rules and no cameras' states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.contract.dialogue import CameraReport, CameraState

_STATES: dict[CameraState, str] = {
    "live": "is live, but its picture could not be used",
    "stale": "has sent no new picture for too long",
    "frozen": "keeps sending the same picture",
    "covered": "is covered or dark",
    "down": "is down",
    "connecting": "is still connecting",
}


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def in_room(room: str) -> str:
    """in the kitchen; in Grandma's room; in my office."""
    first = room.split()[0].casefold() if room.split() else ""
    own = first in {"the", "my", "our"} or first.endswith(("'s", "’s"))
    return f"in {room}" if own else f"in the {room}"


def where(room: str | None) -> str:
    """The place of a question: a room, or anywhere that cameras look."""
    return "here" if room is None else in_room(room)


def named(ids: Sequence[str], names: Mapping[str, str]) -> str:
    """Display names of some subjects; somebody without one is `this person`."""
    return listed([names.get(subject_id, "this person") for subject_id in ids])


def are(count: int) -> str:
    """is or are."""
    return "is" if count == 1 else "are"


def strangers(count: int) -> str:
    """somebody unknown; 2 unknown people."""
    return "somebody unknown" if count == 1 else f"{count} unknown people"


def missing_cameras(reports: Sequence[CameraReport], bare_rooms: Sequence[str]) -> str:
    """Why not everything was seen, as sentences; empty when there is nothing to say."""
    parts = [f"Camera {report.camera} {_STATES[report.state]}." for report in reports]
    if bare_rooms:
        parts.append(f"No camera looks at the room {listed(list(bare_rooms))}.")
    return " ".join(parts)


def percent(confidence: float) -> str:
    """A probability, never rounded up to certainty."""
    return f"{min(99, max(1, round(confidence * 100)))} %"
