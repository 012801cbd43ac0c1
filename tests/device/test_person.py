"""Enrolling, asking about and forgetting people, through the real command line and a real socket."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from device.paths import Home
from device.store.records import Person
from device.store.store import Store
from runtime.contract.dialogue import Answer, CameraReport, Evidence
from tests.device.fake_runtime import YES, FakeRuntime, serving, short_home

_KILLS = 8


@dataclass
class Box:
    """A home, its fake runtime, and a clip."""

    home: Home
    runtime: FakeRuntime
    clip: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command line."""
        return subprocess.Popen(
            [sys.executable, "-m", "device.cli.main", *words],
            env={**os.environ, "PVCHAT_HOME": str(self.home.root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run the command line to its end."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run it with --json and read its one object."""
        returned, out, err = self.run(*words, "--json")
        assert returned == code, err
        assert out.count("\n") == 1
        data = json.loads(out)
        assert isinstance(data, dict)
        return data

    def add(self, name: str, *words: str) -> list[str]:
        """The words that enrol somebody."""
        return ["person", "add", name, "--clip", str(self.clip), "--consent-by", "Ann", *words]

    def people(self) -> list[Person]:
        """Who is in the store."""
        with Store.open(self.home) as store:
            return store.people()

    def left_over(self) -> list[Path]:
        """Files of the vault that nothing names."""
        with Store.open(self.home) as store:
            named = {one.path for person in store.people() for one in person.adapters}
            named |= {person.sheet for person in store.people() if person.sheet}
        return [
            path
            for folder in (self.home.blobs, self.home.incoming)
            for path in folder.iterdir()
            if path not in named
        ]


@pytest.fixture
def box() -> Iterator[Box]:
    with short_home() as home, serving(home) as runtime:
        clip = home.root / "clip.mp4"
        clip.write_bytes(b"a film")
        yield Box(home, runtime, clip)


def test_a_person_is_learned_from_one_clip_with_consent_on_record(box: Box) -> None:
    data = box.json(*box.add("Grandma", "--alias", "Oma", "--until", "2999-12-31"))
    (person,) = box.people()
    assert (person.subject.name, person.subject.aliases) == ("Grandma", ("Oma",))
    assert (person.consent.by, person.consent.until) == ("Ann", "2999-12-31")
    assert data["subject_id"] == person.subject.subject_id
    assert data["report"]["hints"] == ["no view from the left"]
    active = person.adapter()
    assert active is not None
    assert active.path.read_bytes() == b"adapter of " + person.subject.subject_id.encode()
    assert active.base == "b" * 64
    assert Path(data["contact_sheet"]).read_bytes().startswith(b"a contact sheet")
    assert box.runtime.subjects == {person.subject.subject_id: 1}  # usable at once
    assert list(box.home.incoming.iterdir()) == []


def test_several_clips_are_handed_over_in_order(box: Box) -> None:
    more = box.home.root / "other.mp4"
    more.write_bytes(b"another film")
    box.json(*box.add("Grandma", "--clip", str(more), "--which", "1"))
    (request,) = box.runtime.enrolled
    assert (request.path, request.more, request.which) == (box.clip, (more,), 1)
    gone = box.json(*box.add("Ben", "--clip", "/nowhere.mp4"), code=2)["error"]
    assert "/nowhere.mp4" in gone["message"]


def test_the_name_never_reaches_a_file_name_or_the_enrolment(box: Box) -> None:
    box.json(*box.add("Grandma"))
    (request,) = box.runtime.enrolled
    assert "Grandma" not in repr(request)
    assert not [path for path in box.home.root.rglob("*") if "grandma" in path.name.lower()]


def test_without_consent_nobody_is_learned(box: Box) -> None:
    error = box.json("person", "add", "Ben", "--clip", str(box.clip), code=2)["error"]
    assert error["code"] == "consent"
    assert "--consent-by" in error["next_step"]
    assert box.json("person", "add", "Ben", "--clip", str(box.clip), "--consent-by", " ", code=2)
    assert box.json(*box.add("Ben", "--until", "2001-01-01"), code=2)["error"]["code"] == "consent"
    assert box.people() == []
    assert box.runtime.enrolled == []


def test_a_name_that_is_taken_is_refused_before_anything_is_learned(box: Box) -> None:
    box.json(*box.add("Grandma", "--alias", "Oma"))
    for words in (
        box.add("grandma"),
        box.add("Ben", "--alias", "OMA"),
        box.add("x" * 65),
        box.add("Ben", "--which", "0"),
    ):
        assert box.json(*words, code=2)["error"]["code"] == "usage"
    assert len(box.runtime.enrolled) == 1


def test_a_clip_with_two_people_shows_who_is_who_and_enrols_nobody(box: Box) -> None:
    box.runtime.refusal = "2 people are in the clip."
    error = box.json(*box.add("Ben"), code=5)["error"]
    assert error["code"] == "content"
    sheet = box.home.evidence / "people-in-the-clip.jpg"
    assert str(sheet) in error["next_step"]
    assert sheet.read_bytes().startswith(b"a contact sheet")
    assert box.people() == []
    assert box.left_over() == []
    box.runtime.refusal = ""
    box.json(*box.add("Ben", "--which", "2"))
    assert box.runtime.enrolled[-1].which == 2
    assert not sheet.exists()


def test_enrolling_again_raises_the_release_and_keeps_the_old_adapter_for_a_rollback(box: Box) -> None:
    box.json(*box.add("Grandma"))
    data = box.json(*box.add("grandma", "--replace"))
    assert (data["release"], data["name"]) == (2, "Grandma")
    assert [(one["release"], one["state"]) for one in data["adapters"]] == [(2, "active"), (1, "previous")]
    assert list(box.runtime.subjects.values()) == [2]
    assert box.json(*box.add("Nobody", "--replace"), code=2)["error"]["code"] == "usage"


def test_kill_9_while_learning_leaves_nobody(box: Box) -> None:
    box.runtime.go_on.clear()
    with box.start(*box.add("Ben")) as process:
        assert box.runtime.enrolling.wait(30)
        process.kill()
    box.runtime.go_on.set()
    assert box.people() == []
    box.json(*box.add("Ben"))  # the name is free, and what the dead process left is cleared
    assert len(box.people()) == 1
    assert box.left_over() == []


def test_ctrl_c_while_learning_leaves_nobody(box: Box) -> None:
    box.runtime.go_on.clear()
    with box.start(*box.add("Ben")) as process:
        assert box.runtime.enrolling.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert box.people() == []
    assert box.left_over() == []


def test_kill_9_at_any_moment_leaves_a_whole_person_or_none(box: Box) -> None:
    chance = random.Random(3)
    whole = 0
    for number in range(_KILLS):
        box.runtime.enrolling.clear()
        with box.start(*box.add(f"Guest {number}")) as process:
            assert box.runtime.enrolling.wait(30)
            time.sleep(chance.uniform(0.0, 0.04))
            process.kill()
        with Store.open(box.home) as store:
            people = store.people()
            loaded = store.active_adapters()
        assert len(people) in (whole, whole + 1)
        whole = len(people)
        assert [one.path.read_bytes() for one in loaded] == [
            b"adapter of " + person.subject.subject_id.encode() for person in people
        ]
        assert all(person.sheet is not None and person.sheet.is_file() for person in people)


def test_list_and_show_tell_what_is_stored(box: Box) -> None:
    assert box.json("person", "list") == {"people": []}
    box.json(*box.add("Grandma", "--alias", "Oma"))
    (listed,) = box.json("person", "list")["people"]
    assert box.json("person", "show", "oma") == listed
    code, out, _ = box.run("person", "show", "Grandma")
    assert code == 0
    assert "by Ann on" in out
    code, _, err = box.run("person", "show", "Gramdma")
    assert code == 2
    assert "Did you mean 'Grandma'?" in err


def test_forgetting_asks_first_and_then_leaves_nothing(box: Box) -> None:
    box.json(*box.add("Grandma"))
    (box.home.evidence / "e.jpg").write_bytes(b"a picture")
    assert "--yes" in box.json("person", "forget", "Grandma", code=2)["error"]["next_step"]
    assert len(box.people()) == 1
    box.json("person", "forget", "grandma", "--yes")
    assert box.people() == []
    assert box.left_over() == []
    assert list(box.home.evidence.iterdir()) == []
    assert box.runtime.subjects == {}
    assert box.json("person", "forget", "Grandma", "--yes", code=2)


def test_renaming_keeps_what_was_learned_and_is_usable_at_once(box: Box) -> None:
    before = box.json(*box.add("Grandma", "--alias", "Oma", "--alias", "Nana"))
    box.json(*box.add("Ben"))
    data = box.json("person", "rename", "oma", "--to", "Ruth", "--alias", "Granny", "--drop-alias", "nana")
    assert (data["name"], data["was"], data["aliases"]) == ("Ruth", "Grandma", ["Oma", "Granny"])
    assert (data["subject_id"], data["release"]) == (before["subject_id"], 1)
    assert box.json("person", "show", "granny")["name"] == "Ruth"
    for words in (
        ("--to", "ben"), ("--alias", "Ben"), ("--drop-alias", "Nana"), ("--to", " "), (),
    ):  # fmt: skip
        assert box.json("person", "rename", "Ruth", *words, code=2)["error"]["code"] == "usage"
    assert box.json("person", "show", "Ruth")["aliases"] == ["Oma", "Granny"]
    assert box.json("person", "rename", "Ruth", "--to", "Oma")["aliases"] == ["Granny"], "a name is no alias"


def test_paused_person_is_not_looked_for_and_nothing_is_lost(box: Box) -> None:
    subject_id = box.json(*box.add("Grandma"))["subject_id"]
    for _ in range(2):
        assert box.json("person", "pause", "grandma")["state"] == "paused"
    assert box.runtime.subjects == {}
    assert box.json("ask", "Is Grandma here?", "--clip", str(box.clip), code=2)["error"]["code"] == "usage"
    assert box.json("person", "resume", "Grandma")["state"] == "active"
    assert box.runtime.subjects == {subject_id: 1}
    assert box.json("ask", "Is Grandma here?", "--clip", str(box.clip))["verdict"] == "yes"


def test_exported_person_is_everything_stored_for_the_owners_eyes(box: Box, tmp_path: Path) -> None:
    data = box.json(*box.add("Grandma", "--alias", "Oma"))
    box.json(*box.add("Grandma", "--replace"))
    out = tmp_path / "grandma.zip"
    told = box.json("person", "export", "oma", "--out", str(out))
    assert told["files"] == [
        "person.json",
        "release-2.safetensors",
        "release-1.safetensors",
        "contact-sheet.jpg",
    ]
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == told["files"]
        person = json.loads(archive.read("person.json"))
        assert archive.read("release-1.safetensors") == b"adapter of " + data["subject_id"].encode()
    assert (person["name"], person["aliases"]) == ("Grandma", ["Oma"])
    assert [one["by"] for one in person["consents"]] == ["Ann", "Ann"]
    assert str(box.home.root) not in json.dumps(person)
    assert box.json("person", "export", "Grandma", "--out", str(out), code=2)["error"]["code"] == "usage"
    assert list(tmp_path.iterdir()) == [out]


def test_dry_run_of_forgetting_names_every_file_and_deletes_none(box: Box) -> None:
    data = box.json(*box.add("Grandma"))
    picture = box.home.evidence / "e.jpg"
    picture.write_bytes(b"a picture")
    told = box.json("person", "forget", "Grandma", "--dry-run")
    (person,) = box.people()
    adapter = person.adapter()
    assert adapter is not None
    assert set(told["files"]) == {str(adapter.path), str(person.sheet), str(picture)}
    assert told["subject_id"] == data["subject_id"]
    assert all(Path(path).is_file() for path in told["files"])


def test_verified_forgetting_finds_nothing_left_and_says_so_when_it_does(box: Box) -> None:
    box.json(*box.add("Grandma"))
    assert box.json("person", "forget", "Grandma", "--yes", "--verify")["verified"] is True
    subject_id = box.json(*box.add("Ben"))["subject_id"]
    (box.home.root / "notes.txt").write_text(f"I copied {subject_id}", encoding="utf-8")
    error = box.json("person", "forget", "Ben", "--yes", "--verify", code=5)["error"]
    assert "notes.txt" in error["message"]
    assert box.people() == []


@pytest.mark.parametrize(
    ("answer", "words", "code"),
    [
        (YES, (), 0),
        (YES, ("--exit-code",), 0),
        (replace(YES, verdict="no", confidence=0.02), (), 0),
        (replace(YES, verdict="no", confidence=0.02), ("--exit-code",), 1),
        (replace(YES, verdict="unsure", confidence=0.5), ("--exit-code",), 3),
        (replace(YES, verdict="unavailable", confidence=None), (), 4),
        (Answer("refusal", "I cannot tell.", None, None, 0.9), (), 6),
    ],
)
def test_the_exit_code_says_how_the_question_ended(
    box: Box, answer: Answer, words: tuple[str, ...], code: int
) -> None:
    box.json(*box.add("Grandma"))
    box.runtime.answer = answer
    data = box.json("ask", "Is Grandma here?", "--clip", str(box.clip), *words, code=code)
    assert (data["verdict"], data["exit_code"]) == (answer.verdict, code)
    data = box.json("person", "test", "Grandma", "--clip", str(box.clip), *words, code=code)
    assert data["verdict"] == answer.verdict


def test_a_question_about_a_clip_reaches_the_runtime_understood(box: Box) -> None:
    subject_id = box.json(*box.add("Grandma"))["subject_id"]
    box.json("ask", "Is Grandma here?", "--clip", str(box.clip))
    (asked,) = box.runtime.asked
    assert (asked.intent.kind, asked.intent.subject_ids) == ("existence", (subject_id,))
    assert asked.names == {subject_id: "Grandma"}
    assert asked.clip is not None
    assert asked.clip.path == box.clip
    assert asked.evidence_dir == box.home.evidence
    error = box.json("ask", "Is Gramdma here?", "--clip", str(box.clip), code=2)["error"]
    assert "Grandma" in error["next_step"] + error["message"]


def test_the_answer_for_people_names_confidence_cameras_and_evidence(box: Box) -> None:
    box.json(*box.add("Grandma"))
    box.runtime.answer = replace(
        YES,
        cameras=(CameraReport("kitchen-1", "kitchen", "live", 120.0),),
        evidence=(Evidence("kitchen-1", 1.0, (1, 2, 3, 4), "f" * 64, None, "/x/e.jpg"),),
    )
    code, out, _ = box.run("ask", "Is Grandma here?", "--clip", str(box.clip))
    assert code == 0
    assert out.splitlines() == [
        "Yes, it is.",
        "  probability of presence 0.97 (yes from 0.90)",
        "  cameras: kitchen-1 live",
        "  evidence: /x/e.jpg",
    ]


def test_a_runtime_that_knows_other_people_is_told_who_lives_here(box: Box) -> None:
    subject_id = box.json(*box.add("Grandma"))["subject_id"]
    box.runtime.subjects = {f"s{'9' * 32}": 4}
    box.json("ask", "Is Grandma here?", "--clip", str(box.clip))
    assert box.runtime.subjects == {subject_id: 1}
