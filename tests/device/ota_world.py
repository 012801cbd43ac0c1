"""A publisher, a repository in a folder and a box for the tests of updates; no network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from device.ota import commands
from device.ota.commands import Seams
from device.ota.publish import Repository
from device.paths import Home
from device.store.records import AdapterRecord, Consent, NewAdapter
from device.store.store import Store
from runtime.adapters import adapter_to_bytes
from runtime.contract.adapter import Adapter
from runtime.contract.bundle import Manifest, manifest_to_json
from runtime.contract.calibration import Calibration
from runtime.contract.errors import ConfigError, EngineError
from runtime.contract.household import Subject
from runtime.contract.pixels import PixelSpec

BASE = "b" * 64
GRANDMA = "s" + "a" * 32
TOM = "s" + "c" * 32
SHAPES = {"Q": 3, "D": 4, "Dl": 5, "E": 6, "F": 7, "K": 2, "R": 2}


def adapter(release: int, subject_id: str = GRANDMA, base: str = BASE, **changes: Any) -> bytes:
    """An adapter file's bytes; different for every release."""
    random = np.random.default_rng(release)
    shapes = {
        "queries": (3, 4),
        "soft_tokens": (3, 5),
        "token": (5,),
        "delta_a": (2, 4, 2),
        "delta_b": (2, 2, 4),
    }
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    views = random.normal(size=(3, 6))
    arrays["views.head"] = (views / np.linalg.norm(views, axis=1, keepdims=True)).astype(np.float32)
    arrays.update(changes)
    return adapter_to_bytes(Adapter(subject_id, base, "trained", release, arrays))


def write_bundle(home: Home, base: str = BASE) -> None:
    """Make a bundle without engines the installed one; enough for whoever only reads its manifest."""
    manifest = Manifest("base", base, (), {}, SHAPES, PixelSpec(), Calibration())
    folder = home.bundles / "toy"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_bytes(manifest_to_json(manifest))
    (home.bundles / "current").write_text("toy", encoding="ascii")


@dataclass
class FakeLive:
    """A daemon that is not there, takes everything, or breaks under one release."""

    present: bool = False
    bad_release: int = 0
    broken_config: bool = False
    reloads: list[dict[str, int]] = field(default_factory=list)

    def running(self) -> bool:
        """Whether it is there."""
        return self.present

    def reload(self, expected: Mapping[str, int]) -> None:
        """Break under the bad release."""
        if self.broken_config:
            raise ConfigError("device.toml is no TOML.")
        self.reloads.append(dict(expected))
        if self.bad_release in expected.values():
            raise EngineError("the engine computed what is not finite.")


class World:
    """Everything under one temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repo = folder / "repo"
        self.keys = folder / "keys"
        self.home = Home(folder / "home").create()
        write_bundle(self.home)
        self.live = FakeLive()
        self.problem = ""  # what the self-test is to find
        with self.store() as store:
            self.household = store.household().household_id
            for name, subject_id in (("Grandma", GRANDMA), ("Tom", TOM)):
                first = NewAdapter(adapter(1, subject_id), 1, "instant", BASE)
                store.add_subject(Subject(subject_id, name), Consent(name, time.time()), first)
        commands.init_repo(self.repo, self.keys, self.household)
        self.trust()

    def store(self) -> Store:
        """The box's real store."""
        return Store.open(self.home)

    def trust(self) -> None:
        """Point the box at the repository."""
        commands.trust(self.home, str(self.repo), self.repo / "root.json")

    def publisher(self, now: datetime | None = None) -> Repository:
        """The repository, to be signed with a clock of one's own."""
        return Repository(self.repo, self.keys, now)

    def publish(self, release: int, data: bytes | None = None, subject_id: str = GRANDMA) -> Path:
        """Publish an adapter through the command; returns the target file."""
        file = self.folder / "new.safetensors"
        file.write_bytes(adapter(release, subject_id) if data is None else data)
        done = commands.add_adapter(self.repo, self.keys, file, household_id=self.household)
        where, _, name = str(done["target"]).rpartition("/")
        return max(
            (self.repo / "targets" / where).glob(f"*.{name}"), key=lambda path: path.stat().st_mtime_ns
        )

    def seams(self, **changes: Any) -> Seams:
        """Fakes in place of the self-test and the daemon."""
        return Seams(**{"self_test": lambda *_: self.problem, "live": self.live, **changes})

    def apply(self, subject: str | None = None, **changes: Any) -> dict[str, Any]:
        """`ota apply`."""
        with self.store() as store:
            return commands.apply(self.home, store, subject, self.seams(**changes))

    def check(self, **changes: Any) -> dict[str, Any]:
        """`ota check`."""
        with self.store() as store:
            return commands.check(self.home, store, self.seams(**changes))

    def status(self, **changes: Any) -> dict[str, Any]:
        """`ota status`."""
        with self.store() as store:
            return commands.status(self.home, store, self.seams(**changes))

    def active(self, subject_id: str = GRANDMA) -> AdapterRecord:
        """The adapter in use, after looking at its file: bytes and release must be the ones of its row."""
        with self.store() as store:
            record = store.person(subject_id).adapter()
        if record is None or record.path.read_bytes() != adapter(record.release, subject_id):
            raise AssertionError(f"torn adapter: {record}")
        return record
