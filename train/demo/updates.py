"""The update chapter: publish a better adapter, refuse tampered ones, install it while questions go on.

And go back once, on command. Knows no training and no page.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.contract.errors import UpdateError
from train.demo.asking import Asker
from train.demo.children import Children, Reply
from train.demo.score import Updates
from train.demo.story import Scene
from train.demo.table import releases

EXIT_REFUSED = 5
_APPLY_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the update channel.

    Attributes:
        what: in words.
        outcome: what the command line said about it.
        good: whether it is what should happen.
    """

    what: str
    outcome: str
    good: bool


@dataclass(slots=True)
class Channel:
    """A signed repository in a folder, and the box that follows it.

    Attributes:
        name: of the member who gets a better adapter.
        tell: called with each event.
        events, stages: what happened, and which releases were on the box after it.
    """

    children: Children
    folder: Path
    name: str
    tell: Callable[[Event], None]
    events: list[Event] = field(default_factory=list)
    stages: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    updates: Updates = field(default_factory=Updates)

    @property
    def repository(self) -> Path:
        """Where the box looks."""
        return self.folder / "repository"

    def publish(self, adapter: Path) -> None:
        """Make the repository and its keys, sign the adapter, and let the box trust the root."""
        self._stage("enrolled")
        repository, keys = str(self.repository), str(self.folder / "keys")
        root = self.children.cli("ota", "init-repo", repository, "--keys", keys).data["root_sha256"]
        said = self.children.cli("ota", "add-adapter", repository, str(adapter), "--keys", keys).data
        self.children.cli("ota", "trust", repository, "--sha256", root)
        self._note(
            "published", f"release {said['release']} of {self.name}, {said['bytes']} bytes, signed", True
        )
        verdicts = self.children.cli("ota", "check").data["subjects"]
        new = [one for one in verdicts if one["state"] == "new"]
        self._note("looked for updates", f"{len(new)} new for {len(verdicts)} people", len(new) == 1)

    def refuse(self, what: str, damage: Callable[[Path], None]) -> None:
        """Let the box look at a tampered copy of the repository, at the same address."""
        before = self._releases()
        with tampered(self.repository, damage):
            reply = self.children.cli("ota", "apply", accept=None)
        held = reply.code == EXIT_REFUSED and self._releases() == before
        self.updates = Updates(self.updates.applied, self.updates.refused + held)
        self._note(what, _outcome(reply), held)

    def apply(self, asker: Asker, scene: Scene, question_chapter: str) -> None:
        """Install the update; ask right before, meanwhile and right after.

        Raises:
            UpdateError: the box refuses it.
        """
        question = asker.story.update_question
        asker.ask(question, scene, f"{question_chapter}, before")
        running = self.children.start("ota", "apply")
        asker.ask(question, scene, f"{question_chapter}, while it is installed")
        reply = running.wait(_APPLY_TIMEOUT_S, accept=None)
        applied = [int(one["release"]) for one in reply.data.get("applied", ())]
        watched = all(one["watched"] for one in reply.data.get("applied", ()))
        if not applied:
            raise UpdateError(f"the update was not installed: {_outcome(reply)}", "See docs/ota.md.")
        self.updates = Updates(self.updates.applied + len(applied), self.updates.refused)
        state = "taken by the daemon" if watched else "not watched: no daemon took it"
        self._note("installed", f"release {applied[0]} of {self.name}, self-tested, {state}", watched)
        self._stage("after the update")
        asker.ask(question, scene, f"{question_chapter}, after")
        asker.ask(asker.story.update_clip_question, scene, f"{question_chapter}, after")

    def rollback(self) -> None:
        """Go back to the adapter before."""
        (done,) = self.children.cli("ota", "rollback", self.name).data["rolled_back"]
        good = done["to"] < done["from"]
        self._note("rolled back on command", f"{self.name}: release {done['from']} to {done['to']}", good)
        self._stage("after the rollback")

    def _releases(self) -> dict[str, str]:
        return releases(self.children.cli("ota", "status").data)

    def _stage(self, name: str) -> None:
        self.stages.append((name, self._releases()))

    def _note(self, what: str, outcome: str, good: bool) -> None:
        self.events.append(Event(what, outcome, good))
        self.tell(self.events[-1])


def _outcome(reply: Reply) -> str:
    """What a command said, on one line."""
    error: Mapping[str, Any] | None = reply.data.get("error")
    if error is None:
        return f"exit code {reply.code}"
    return f"{' '.join(str(error['message']).split())} (exit code {reply.code})"


@contextlib.contextmanager
def tampered(repository: Path, damage: Callable[[Path], None]) -> Iterator[Path]:
    """For a while a damaged copy lies where the repository was."""
    aside = repository.with_name(f"{repository.name}-aside")
    repository.rename(aside)
    try:
        shutil.copytree(aside, repository)
        damage(repository)
        yield repository
    finally:
        shutil.rmtree(repository, ignore_errors=True)
        aside.rename(repository)


def flip_adapter(repository: Path) -> None:
    """Change one byte in the middle of every published adapter; its length stays.

    Raises:
        UpdateError: nothing is published.
    """
    files = [path for path in (repository / "targets").rglob("*") if path.is_file()]
    if not files:
        raise UpdateError(f"{repository} holds no adapter to tamper with.", "Publish one first.")
    for path in files:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)


def flip_signature(repository: Path) -> None:
    """Change one hex digit of the signature of `timestamp.json`.

    Raises:
        UpdateError: there is no signature.
    """
    path = repository / "metadata" / "timestamp.json"
    text = path.read_text(encoding="utf-8")
    mark = '"sig": "' if '"sig": "' in text else '"sig":"'
    place = text.find(mark) + len(mark)
    if place < len(mark):
        raise UpdateError(f"{path} has no signature to tamper with.", "Publish it again.")
    other = "0" if text[place] != "0" else "1"
    path.write_text(text[:place] + other + text[place + 1 :], encoding="utf-8")
