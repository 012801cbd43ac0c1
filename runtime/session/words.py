"""Sentences of answers about one source, with display names. Knows no verdict rules and no models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.contract.dialogue import Verdict
from runtime.contract.pixels import Box

NAMELESS = "this person"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def named(ids: Sequence[str], names: Mapping[str, str]) -> str:
    """Display names; somebody without one is `this person`."""
    return listed([names.get(subject_id, NAMELESS) for subject_id in ids])


def place_of(room: str | None) -> str:
    """in the kitchen; in this clip."""
    if room is None:
        return "in this clip"
    first = room.split()[0].casefold() if room.split() else ""
    own = first in {"the", "my", "our"} or first.endswith(("'s", "’s"))
    return f"in {room}" if own else f"in the {room}"


def presence(verdicts: Mapping[str, Verdict], verdict: Verdict, names: Mapping[str, str], place: str) -> str:
    """Whether the subjects asked about are there, as one sentence."""
    everybody = named(list(verdicts), names)
    are = "is" if len(verdicts) == 1 else "are"
    if verdict == "yes":
        return f"Yes, {everybody} {are} {place}."
    if verdict != "no":
        return f"I am not sure whether {everybody} {are} {place}."
    absent = [subject_id for subject_id, said in verdicts.items() if said == "no"]
    seen = [subject_id for subject_id, said in verdicts.items() if said == "yes"]
    text = f"No, I do not see {named(absent, names)} {place}"
    if seen:
        text += f", but I see {named(seen, names)}"
    return f"{text}."


def company(seen: Sequence[str], unknown: int, names: Mapping[str, str], place: str) -> str:
    """Who is there, as one sentence; nobody is the nearest name."""
    people = [names.get(subject_id, NAMELESS) for subject_id in seen]
    if unknown:
        people.append(strangers(unknown))
    return f"I see {listed(people) or 'nobody'} {place}."


def strangers(count: int) -> str:
    """somebody whom I do not know; 2 people whom I do not know."""
    return f"{'somebody' if count == 1 else f'{count} people'} whom I do not know"


def stranger(verdict: Verdict, unknown: int, place: str) -> str:
    """Whether somebody unknown is there, as one sentence."""
    if verdict == "yes":
        return f"Yes, I see {strangers(max(1, unknown))} {place}."
    if verdict == "no":
        return f"No, I see nobody {place} whom I do not know."
    return f"I am not sure whether somebody {place} is unknown."


def position(box: Box, frame_width: int) -> str:
    """Where in the picture a box is: left, middle or right third."""
    centre = (box[0] + box[2] / 2) / frame_width
    side = "on the left" if centre < 1 / 3 else "on the right" if centre > 2 / 3 else "in the middle"
    return f"{side} of the picture"
