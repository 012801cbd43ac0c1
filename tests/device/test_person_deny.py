"""`person deny`: what it keeps, what the runtime is told, and that it can be taken back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.paths import Home
from device.store.records import Consent, NewAdapter
from device.store.store import Store
from runtime.contract.errors import UsageError
from runtime.contract.household import Subject
from runtime.sightings import Sighting, sighting_to_bytes
from tests.device.command_line import run_json
from tests.device.fake_runtime import BASE, FakeRuntime, serving, short_home

GRANDMA, BEN = Subject("s" + "1" * 32, "Grandma"), Subject("s" + "2" * 32, "Ben")
EVENT, OTHER = "0123456789abcdef-0", "fedcba9876543210-1"


@dataclass
class Box:
    """A home with two people, its fake runtime, and evidence of an answer about each."""

    home: Home
    runtime: FakeRuntime

    def run(self, *words: str, code: int = 0) -> dict[str, Any]:
        returned, data = run_json(self.home, *words)
        assert returned == code, data
        return data

    def denied(self) -> list[str]:
        """What the runtime was told, as bytes of the files, a subject id each."""
        return [subject_id for subject_id, paths in self.runtime.denied.items() for _ in paths]


def see(home: Home, event: str, subject: Subject) -> Path:
    seen = Sighting(
        subject.subject_id, "head", BASE, np.eye(1, 8, dtype=np.float32), np.ones((1, 12), dtype=np.float32)
    )
    path = home.evidence / f"{event}.seen"
    path.write_bytes(sighting_to_bytes(seen))
    path.with_suffix(".jpg").write_bytes(b"a picture")
    return path


@pytest.fixture
def box() -> Iterator[Box]:
    with short_home() as home, serving(home) as runtime:
        with Store.open(home) as store:
            for subject in (GRANDMA, BEN):
                adapter = NewAdapter(subject.subject_id.encode(), 1, "instant", BASE)
                store.add_subject(subject, Consent("Ann", 1.0), adapter)
        see(home, EVENT, GRANDMA)
        see(home, OTHER, BEN)
        yield Box(home, runtime)


def test_denied_evidence_is_kept_and_the_runtime_told_at_once(box: Box) -> None:
    data = box.run("person", "deny", EVENT)
    assert (data["name"], data["event"], [one["event"] for one in data["denied"]]) == (
        "Grandma",
        EVENT,
        [EVENT],
    )
    assert box.denied() == [GRANDMA.subject_id]
    (kept,) = box.runtime.denied[GRANDMA.subject_id]
    assert kept.read_bytes() == (box.home.evidence / f"{EVENT}.seen").read_bytes()
    (box.home.evidence / f"{EVENT}.seen").unlink()
    assert [one["event"] for one in box.run("person", "show", "Grandma")["denied"]] == [EVENT]


def test_denial_is_taken_back_by_the_same_name(box: Box) -> None:
    box.run("person", "deny", str(box.home.evidence / f"{EVENT}.jpg"))
    box.run("person", "deny", OTHER)
    assert sorted(box.denied()) == [GRANDMA.subject_id, BEN.subject_id]
    assert box.run("person", "deny", EVENT, "--undo")["denied"] == []
    assert box.denied() == [BEN.subject_id]
    again = box.run("person", "deny", EVENT, "--undo", code=2)["error"]
    assert "never denied" in again["message"]


def test_what_is_no_evidence_or_denied_already_is_refused(box: Box) -> None:
    box.run("person", "deny", EVENT)
    assert "denied to be Grandma already" in box.run("person", "deny", EVENT, code=2)["error"]["message"]
    for event in ("*", "nothing-0", "../state", "."):
        error = box.run("person", "deny", event, code=2)["error"]
        assert "no evidence" in error["message"]
        assert "Ask again" in error["next_step"]


def test_forgetting_somebody_forgets_all_denials_for_they_may_show_that_person(box: Box) -> None:
    box.run("person", "deny", EVENT)
    with Store.open(box.home) as store:
        (kept,) = (one.path for one in store.person(GRANDMA.subject_id).denials)
        store.forget(BEN.subject_id)
        assert store.person(GRANDMA.subject_id).denials == ()
    assert not kept.exists()
    assert not list(box.home.evidence.rglob("*.seen"))


def test_a_database_from_before_denials_is_brought_up_to_date(box: Box) -> None:
    connection = sqlite3.connect(box.home.state_db)
    connection.executescript("DROP TABLE denials; PRAGMA user_version=1;")
    connection.close()
    assert [one["name"] for one in box.run("person", "list")["people"]] == ["Grandma", "Ben"]
    assert box.run("person", "deny", EVENT)["denied"]


def test_a_denial_whose_file_is_gone_changes_nothing(box: Box, tmp_path: Path) -> None:
    with Store.open(box.home) as store:
        before = store.generation()
        with pytest.raises(UsageError, match="cannot read"):
            store.deny(GRANDMA.subject_id, EVENT, tmp_path / "gone.seen")
        assert store.generation() == before
        assert store.person(GRANDMA.subject_id).denials == ()
