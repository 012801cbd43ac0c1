"""What to say when a question cannot become an intent. Knows no grammar."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.contract.errors import RefusedError, UsageError
from runtime.contract.household import Household, Subject
from runtime.questions.lexer import plain

MAX_LISTED = 8
_ALIKE, _MOST_NEAR = 0.6, 3
MAX_QUOTED_CHARS = 80


@dataclass(frozen=True, slots=True)
class Home:
    """What a question may name."""

    household: Household
    rooms: tuple[str, ...]
    text: str

    @property
    def quoted(self) -> str:
        """The question, shortened, in quotes."""
        text = " ".join(self.text.split())
        return f'"{text[:MAX_QUOTED_CHARS]}…"' if len(text) > MAX_QUOTED_CHARS else f'"{text}"'

    def as_written(self, words: str) -> str:
        """Words of the question as they stand in it: "tim" as Tim."""
        pattern = r"\W+".join(re.escape(word) for word in words.split())
        found = re.search(rf"(?<!\w){pattern}(?!\w)", self.text, re.IGNORECASE)
        return " ".join(found.group().split()) if found else words

    def examples(self) -> str:
        """Questions that this home can ask."""
        names = [subject.name for subject in self.household.subjects] or ["Grandma"]
        room = f"the {said(self.rooms[0])}" if self.rooms else ""
        place = f"in {room}" if room else "here"
        return (
            f'For example: "Is {names[0]} {place}?", "What is {names[-1]} doing?", '
            f'"What is {names[0]} wearing?", "Where is {names[-1]}?", "Who is {place}?".'
        )


def said(room: str) -> str:
    """A room as a person would write it."""
    return room.replace("_", " ")


def not_understood(home: Home, why: str = "") -> RefusedError:
    """The question is none of the kinds that can be answered."""
    reason = f": {why}" if why else ""
    return RefusedError(f"I did not understand {home.quoted}{reason}.", home.examples())


def about_another_time(home: Home) -> RefusedError:
    """The question is about the past or the future."""
    return RefusedError(
        f"{home.quoted} is not about now, and history is not kept yet.", f"Ask about now. {home.examples()}"
    )


def about_absence(home: Home) -> RefusedError:
    """The question asks whether somebody is not there."""
    return RefusedError(
        f"I did not understand {home.quoted}: I answer whether somebody is here, not whether they are gone.",
        home.examples(),
    )


def about_company(home: Home) -> RefusedError:
    """The question asks whether somebody is alone."""
    room = f"in the {said(home.rooms[0])}" if home.rooms else "here"
    return RefusedError(
        f"I did not understand {home.quoted}: I cannot judge whether somebody is alone.",
        f'Ask who is there: "Who is {room}?".',
    )


def one_at_a_time(home: Home, what: str) -> RefusedError:
    """Two questions in one."""
    return RefusedError(f"{home.quoted} asks about {what}.", "Ask one question at a time.")


def unknown_name(home: Home, name: str) -> UsageError:
    """Nobody answers to `name`."""
    subjects = home.household.subjects
    if not subjects:
        return UsageError(
            f'nobody is enrolled yet, so I cannot tell who "{home.as_written(name)}" is.',
            "Enrol somebody: pvchat-edge person add NAME --clip FILE.",
        )
    near = _nearest_names(name, subjects)
    if near:
        step = f"Did you mean {' or '.join(near)}?"
    elif len(subjects) <= MAX_LISTED:
        step = f"Enrolled: {', '.join(subject.name for subject in subjects)}."
    else:
        step = f"{len(subjects)} people are enrolled; list them: pvchat-edge person list."
    return UsageError(f'nobody enrolled is called "{home.as_written(name)}".', step)


def _nearest_names(name: str, subjects: Sequence[Subject]) -> list[str]:
    """The most alike name or alias, in quotes; of several people who are as alike, one each."""
    found: list[tuple[float, str]] = []
    for subject in subjects:
        words = {plain(word): word for word in (subject.name, *subject.aliases)}
        for near in difflib.get_close_matches(plain(name), words, n=1, cutoff=_ALIKE):
            found.append((difflib.SequenceMatcher(None, near, plain(name)).ratio(), words[near]))
    best = max((ratio for ratio, _ in found), default=0.0)
    return [f'"{word}"' for ratio, word in found if ratio > best - 0.01][:_MOST_NEAR]


def unnamed(home: Home, pronoun: str) -> UsageError:
    """A pronoun stands where a name is needed."""
    names = [subject.name for subject in home.household.subjects[:MAX_LISTED]]
    step = f"Say the name: {', '.join(names)}." if names else "Say the name."
    return UsageError(f'I cannot tell who "{pronoun}" is in {home.quoted}.', step)


def unknown_room(home: Home, room: str) -> UsageError:
    """No room is called that."""
    room = home.as_written(room)
    if not home.rooms:
        return UsageError(f'no room is called "{room}": no rooms are known here.', "Ask without the room.")
    known = [said(name) for name in home.rooms]
    near = difflib.get_close_matches(plain(room), known, n=1, cutoff=0.6)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    return UsageError(f'no room is called "{room}".', f"{hint}Rooms: {', '.join(known)}.")


def too_many(count: int, most: int) -> UsageError:
    """More people in one question than the model takes."""
    return UsageError(f"the question names {count} people, at most {most} can be asked about.", "Name fewer.")


def check_text(text: str, most_chars: int) -> None:
    """Raises UsageError for an empty or endless question."""
    if not text.strip():
        raise UsageError("the question is empty.", 'Ask for example "Is Grandma here?".')
    if len(text) > most_chars:
        raise UsageError(
            f"the question has {len(text)} characters, at most {most_chars} are read.",
            "Ask it in one sentence.",
        )
