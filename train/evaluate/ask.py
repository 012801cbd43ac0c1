"""Enrols members and asks about every clip. Knows no scores; truth is put beside each answer afterwards."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.contract.errors import ContentError, PvchatError
from train.evaluate.box import Box
from train.evaluate.folder import Enrolled, Household, still_of
from train.evaluate.trials import (
    NAME,
    Asked,
    Description,
    Presence,
    describable,
    description_trial,
    intent_of,
    presence_trial,
)
from train.world.files import ClipRecord


@dataclass(slots=True)
class Answers:
    """Everything that came back.

    Attributes:
        enrol_s: seconds of each enrolment; not_enrolled: members whose reference clip was refused.
    """

    presence: list[Presence] = field(default_factory=list)
    descriptions: list[Description] = field(default_factory=list)
    enrol_s: list[float] = field(default_factory=list)
    not_enrolled: list[str] = field(default_factory=list)

    def add(self, other: Answers) -> None:
        """Take over what another household gave."""
        self.presence += other.presence
        self.descriptions += other.descriptions
        self.enrol_s += other.enrol_s
        self.not_enrolled += other.not_enrolled


def ask_all(
    bundle: Path, homes: Sequence[Household], work: Path, *, boxes: int, progress: Callable[[int, int], None]
) -> Answers:
    """Every household through one of `boxes` runtimes.

    Args:
        work: for adapters and the runtimes' logs.

    Raises:
        PvchatError: a runtime failed; what is wrong with one clip is an answer that is wrong.
    """
    work.mkdir(parents=True, exist_ok=True)
    waiting: queue.SimpleQueue[Household] = queue.SimpleQueue()
    for home in homes:
        waiting.put(home)
    done: list[Answers] = []
    failed: list[BaseException] = []

    def serve(number: int) -> None:
        try:
            with Box(bundle, work / f"runtime-{number}.log") as box:
                while not failed:
                    try:
                        home = waiting.get_nowait()
                    except queue.Empty:
                        return
                    done.append(ask_household(box, home, work / home.name))
                    progress(len(done), len(homes))
        except PvchatError as error:
            failed.append(error)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(boxes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    total = Answers()
    for answers in done:
        total.add(answers)
    total.presence.sort(key=lambda one: (one.household, one.clip, one.member))
    total.descriptions.sort(key=lambda one: (one.household, one.clip, one.kind))
    return total


def ask_household(box: Box, home: Household, work: Path) -> Answers:
    """Enrol the members; ask of every clip about everybody, and what members in it wear and do, and where."""
    work.mkdir(parents=True, exist_ok=True)
    answers = Answers()
    enrolled = _enrol(box, home, work, answers)
    for clip in home.clips:
        here = {person.person_id: person for person in clip.people}
        for member in home.members:
            verdict, probability = "unsure", None
            if member.person_id in enrolled:
                verdict, probability = _verdict(
                    _ask(box, clip.video, "existence", enrolled[member.person_id])
                )
            answers.presence.append(presence_trial(home, clip, member, verdict, probability))
            person = here.get(member.person_id)
            if person is None:
                continue
            for kind in describable(person, clip):
                for asked, video in _videos(clip, kind):
                    said = ""
                    if member.person_id in enrolled:
                        said = _said(_ask(box, video, intent_of(asked), enrolled[member.person_id]))
                    answers.descriptions.append(description_trial(home, clip, person, asked, said))
    return answers


def _videos(clip: ClipRecord, kind: Asked) -> list[tuple[Asked, Path]]:
    """The clip, and for an action one moment of it held."""
    still = still_of(clip)
    if kind == "action" and still is not None:
        return [(kind, clip.video), ("action_one_frame", still)]
    return [(kind, clip.video)]


def _enrol(box: Box, home: Household, work: Path, answers: Answers) -> dict[str, str]:
    """Subject ids of the members who could be enrolled, by person id; they are installed then."""
    refs: list[dict[str, Any]] = []
    found: dict[str, str] = {}
    for member in home.members:
        subject_id = _subject_id(home, member)
        path = work / f"{subject_id}.safetensors"
        request = {
            "subject_id": subject_id, "path": str(member.reference.video.absolute()), "which": None,
            "adapter_path": str(path.absolute()), "sheet_path": None, "release": 1,
        }  # fmt: skip
        began = time.monotonic()
        try:
            box.call({"type": "enrol", "request": request})
        except ContentError:
            answers.not_enrolled.append(f"{home.name}/{member.person_id}")
            continue
        answers.enrol_s.append(time.monotonic() - began)
        found[member.person_id] = subject_id
        refs.append({"subject_id": subject_id, "path": str(path.absolute()), "release": 1})
    box.call({"type": "set_subjects", "adapters": refs})
    return found


def _subject_id(home: Household, member: Enrolled) -> str:
    name = f"{home.name}/{member.person_id}"
    return "s" + hashlib.sha256(name.encode()).hexdigest()[:32]


def _ask(box: Box, video: Path, kind: str, subject_id: str) -> dict[str, Any] | None:
    request = {
        "type": "ask",
        "intent": {"kind": kind, "subject_ids": [subject_id]},
        "names": {subject_id: NAME},
        "clip": {"path": str(video.absolute())},
    }
    try:
        answer: dict[str, Any] = box.call(request)["answer"]
    except ContentError:
        return None
    return answer


def _verdict(answer: dict[str, Any] | None) -> tuple[str, float | None]:
    if answer is None:
        return "unavailable", None
    return str(answer["verdict"]), answer["confidence"]


def _said(answer: dict[str, Any] | None) -> str:
    """The sentence of a description; empty when it was refused, or nobody was recognised."""
    return str(answer["text"]) if answer is not None and answer["kind"] == "description" else ""
