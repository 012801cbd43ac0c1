"""Enrols members and asks about every clip. Knows no scores; truth is put beside each answer afterwards."""

from __future__ import annotations

import hashlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runtime.contract.errors import ContentError, EngineError, PvchatError
from train.evaluate.answers import Answers, in_order
from train.evaluate.box import Box
from train.evaluate.folder import Enrolled, Household, still_of
from train.evaluate.kept import read_kept, write_kept
from train.evaluate.trials import (
    NAME,
    Asked,
    describable,
    description_trial,
    intent_of,
    presence_trial,
)
from train.world.files import ClipRecord

_KEPT, _KEPT_TRAINED = "answers.json", "answers-trained.json"


def ask_all(
    bundle: Path, homes: Sequence[Household], work: Path, *, key: str, boxes: int,
    progress: Callable[[int, int], None],
) -> Answers:  # fmt: skip
    """Every household through one of `boxes` runtimes; answers that are kept under `key` are not asked again.

    Args:
        work: for adapters, answers and the runtimes' logs.

    Raises:
        PvchatError: a runtime failed; what is wrong with one clip is an answer that is wrong.
    """
    work.mkdir(parents=True, exist_ok=True)
    waiting: queue.SimpleQueue[Household] = queue.SimpleQueue()
    done: list[Answers] = []
    for home in homes:
        kept = read_kept(work / home.name / _KEPT, key, home)
        if kept is None:
            waiting.put(home)
        else:
            done.append(kept)
    failed: list[BaseException] = []

    def serve(number: int) -> None:
        try:
            with Box(bundle, work / f"runtime-{number}.log") as box:
                while not failed:
                    try:
                        home = waiting.get_nowait()
                    except queue.Empty:
                        return
                    answers = ask_household(box, home, work / home.name)
                    write_kept(work / home.name / _KEPT, key, home, answers)
                    done.append(answers)
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
    return in_order(done)


def ask_household(box: Box, home: Household, work: Path) -> Answers:
    """Enrol the members; ask of every clip about everybody, and what members in it wear and do, and where."""
    work.mkdir(parents=True, exist_ok=True)
    answers = Answers()
    refs = _enrol(box, home, work, answers)
    box.call({"type": "set_subjects", "adapters": list(refs.values())})
    for clip in home.clips:
        for member in home.members:
            _ask_about(box, home, clip, member, refs.get(member.person_id), answers)
    return answers


def ask_trained(
    bundle: Path, homes: Sequence[Household], work: Path, *, key: str, seconds: float,
    progress: Callable[[int, int], None],
) -> Answers:  # fmt: skip
    """The same about the first member of each of these households, whose adapter is trained first.

    One after the other: a training is limited by time, so nothing may run beside it. The other members keep
    their instant adapters.

    Raises:
        PvchatError: a runtime or a training failed.
    """
    work.mkdir(parents=True, exist_ok=True)
    done: list[Answers] = []
    with Box(bundle, work / "runtime-trained.log", threads=2) as box:
        for home in homes:
            path = work / home.name / _KEPT_TRAINED
            answers = read_kept(path, key, home)
            if answers is None:
                answers = _ask_trained_household(box, bundle / "checkpoint", home, path.parent, seconds)
                write_kept(path, key, home, answers)
            done.append(answers)
            progress(len(done), len(homes))
    return in_order(done)


def _ask_trained_household(
    box: Box, checkpoint: Path, home: Household, work: Path, seconds: float
) -> Answers:
    work.mkdir(parents=True, exist_ok=True)
    member, answers, enrolling = home.members[0], Answers(), Answers()
    refs = _enrol(box, home, work, enrolling)
    if member.person_id in refs:
        instant = refs[member.person_id]
        trained = work / f"{instant['subject_id']}-trained.safetensors"
        began = time.monotonic()
        _train(checkpoint, member, Path(instant["path"]), trained, seconds)
        answers.enrol_s.append(time.monotonic() - began)
        refs[member.person_id] = {**instant, "path": str(trained.absolute()), "release": 2}
    else:
        answers.not_enrolled.append(f"{home.name}/{member.person_id}")
    box.call({"type": "set_subjects", "adapters": list(refs.values())})
    for clip in home.clips:
        _ask_about(box, home, clip, member, refs.get(member.person_id), answers)
    return answers


def _train(checkpoint: Path, member: Enrolled, instant: Path, out: Path, seconds: float) -> None:
    command = [sys.executable, "-m", "train.subject", "--base", str(checkpoint), "--release", "2"]
    command += ["--clip", str(member.reference.video), "--adapter", str(instant), "--out", str(out)]
    command += ["--seconds", f"{seconds:g}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise EngineError(f"the training of {member.person_id} failed: {last[0]}.", "See `train.subject`.")


def _ask_about(
    box: Box, home: Household, clip: ClipRecord, member: Enrolled, ref: Mapping[str, Any] | None,
    answers: Answers,
) -> None:  # fmt: skip
    """One clip about one member; somebody who could not be enrolled is `unsure` and never described."""
    subject_id = None if ref is None else str(ref["subject_id"])
    verdict, probability = "unsure", None
    if subject_id is not None:
        verdict, probability = _verdict(_ask(box, clip.video, "existence", subject_id))
    answers.presence.append(presence_trial(home, clip, member, verdict, probability))
    for person in clip.people:
        if person.person_id != member.person_id:
            continue
        for kind in describable(person, clip):
            for asked, video in _videos(clip, kind):
                said = ""
                if subject_id is not None:
                    said = _said(_ask(box, video, intent_of(asked), subject_id))
                answers.descriptions.append(description_trial(home, clip, person, asked, said))


def _videos(clip: ClipRecord, kind: Asked) -> list[tuple[Asked, Path]]:
    """The clip, and for an action one moment of it held."""
    still = still_of(clip)
    if kind == "action" and still is not None:
        return [(kind, clip.video), ("action_one_frame", still)]
    return [(kind, clip.video)]


def _enrol(box: Box, home: Household, work: Path, answers: Answers) -> dict[str, dict[str, Any]]:
    """Adapters of the members who could be enrolled, by person id, as `set_subjects` takes them."""
    refs: dict[str, dict[str, Any]] = {}
    for member in home.members:
        subject_id = _subject_id(home, member)
        path = str((work / f"{subject_id}.safetensors").absolute())
        request = {
            "subject_id": subject_id, "path": str(member.reference.video.absolute()), "which": None,
            "adapter_path": path, "sheet_path": None, "release": 1,
        }  # fmt: skip
        began = time.monotonic()
        try:
            box.call({"type": "enrol", "request": request})
        except ContentError:
            answers.not_enrolled.append(f"{home.name}/{member.person_id}")
            continue
        answers.enrol_s.append(time.monotonic() - began)
        refs[member.person_id] = {"subject_id": subject_id, "path": path, "release": 1}
    return refs


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
