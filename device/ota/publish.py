"""The publisher's side: a TUF repository in a plain folder. Knows no box, no store and no training.

Layout: `metadata/` (consistent snapshots), `targets/`, and `root.json`, the first root, which a box is given
once by hand. Keys never lie inside. `timestamp.json` is written last, so that readers see the old state or
the new one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from device.ota.files import write_durably
from device.ota.keys import create_key, has_key, load_signer
from device.ota.release import (
    MADE_AT,
    MAX_ADAPTER_BYTES,
    Release,
    household_role,
    release_from_custom,
    target_path,
)
from runtime.contract.errors import UsageError

ROOT_KEYS = ("root-1", "root-2", "root-3")
ROOT_THRESHOLD = 2
_DAYS = {Root.type: 365, Targets.type: 90, Snapshot.type: 7, Timestamp.type: 1}
_HOUSEHOLD_DAYS = 30
_Signed = TypeVar("_Signed", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository folder and its keys, at one moment.

    Attributes:
        folder: holds `metadata/` and `targets/`; may be served to anybody.
        keys_dir: private keys; outside of `folder`.
        now: time of signing; None: the clock's.
    """

    folder: Path
    keys_dir: Path
    now: datetime | None = None

    def __post_init__(self) -> None:
        folder, keys = self.folder.resolve(), self.keys_dir.resolve()
        if keys == folder or folder in keys.parents:
            raise UsageError(
                f"the keys in {self.keys_dir} lie inside the repository {self.folder}.",
                "Keep them elsewhere: everything in a repository is public.",
            )

    def init(self, household_id: str) -> bytes:
        """Make keys and metadata of a new repository; returns the root that boxes are to trust."""
        role = household_role(household_id)
        if self._metadata("timestamp.json").exists():
            raise UsageError(f"{self.folder} holds a repository already.", "Choose an empty folder.")
        root = Root(version=1, expires=self._expiry(Root.type), consistent_snapshot=True)
        for name in ROOT_KEYS:
            root.add_key(create_key(self.keys_dir, name).public_key, Root.type)
        root.roles[Root.type].threshold = ROOT_THRESHOLD
        for name in (Targets.type, Snapshot.type, Timestamp.type):
            root.add_key(create_key(self.keys_dir, name).public_key, name)
        raw = self._sign(root, *ROOT_KEYS[:ROOT_THRESHOLD])
        targets = Targets(version=1, expires=self._expiry(Targets.type), delegations=Delegations({}, {}))
        self._delegate(targets, role)
        empty = Targets(version=1, expires=self._expiry(role))
        _put(self._metadata("1.root.json"), raw)
        snapshot = Snapshot(version=1, expires=self._expiry(Snapshot.type), meta={})
        self._write(targets, Targets.type, snapshot)
        self._write(empty, role, snapshot)
        self._release(snapshot, Timestamp(version=1))
        _put(self.folder / "root.json", raw)
        return raw

    def add_household(self, household_id: str) -> None:
        """Delegate to one more household, with a key of its own."""
        role = household_role(household_id)
        timestamp, snapshot = self._heads()
        targets = self._load(Targets.type, snapshot)
        if targets.delegations and targets.delegations.roles and role in targets.delegations.roles:
            raise UsageError(f"household {household_id} is in this repository already.")
        self._delegate(targets, role)
        self._bump(targets, Targets.type)
        self._write(targets, Targets.type, snapshot)
        self._write(Targets(version=1, expires=self._expiry(role)), role, snapshot)
        self._release(snapshot, timestamp)

    def households(self) -> list[str]:
        """Ids of the households that have a role here."""
        delegations = self._load(Targets.type, self._heads()[1]).delegations
        return sorted(delegations.roles) if delegations and delegations.roles else []

    def add(self, household_id: str, adapter: bytes, release: Release) -> str:
        """Publish one adapter; returns its path inside the repository."""
        role, path = household_role(household_id), target_path(household_id, release.subject_id)
        if not 0 < len(adapter) <= MAX_ADAPTER_BYTES:
            raise UsageError(f"the adapter has {len(adapter)} bytes, allowed are 1 to {MAX_ADAPTER_BYTES}.")
        timestamp, snapshot = self._heads()
        if f"{role}.json" not in snapshot.meta:
            raise UsageError(f"household {household_id} is not in this repository.", "Add it first.")
        targets = self._load(role, snapshot)
        old = targets.targets.get(path)
        if old is not None and release_from_custom(path, old.custom).release >= release.release:
            published = release_from_custom(path, old.custom).release
            raise UsageError(
                f"{path}: release {release.release} is not above {published}, the published one.",
                "Count the release up; to go back, publish the old content under a new number.",
            )
        digest = hashlib.sha256(adapter).hexdigest()
        _put(self.folder / "targets" / role / f"{digest}.{path.rpartition('/')[2]}", adapter)
        fields = {"custom": release.to_custom()}
        targets.targets[path] = TargetFile(len(adapter), {"sha256": digest}, path, fields)
        self._bump(targets, role)
        self._write(targets, role, snapshot)
        self._release(snapshot, timestamp)
        return path

    def refresh(self) -> dict[str, int]:
        """Sign a new timestamp, and whatever else has lived half of its time; returns the new versions."""
        timestamp, snapshot = self._heads()
        renewed: dict[str, int] = {}
        roles = [name.removesuffix(".json") for name in sorted(snapshot.meta)]
        for role in roles:
            targets = self._load(role, snapshot)
            if self._half_over(role, targets.expires) and has_key(self.keys_dir, role):
                self._bump(targets, role)
                self._write(targets, role, snapshot)
                renewed[role] = targets.version
        if renewed or self._half_over(Snapshot.type, snapshot.expires):
            self._release(snapshot, timestamp)
            renewed[Snapshot.type] = snapshot.version
        else:
            self._write_timestamp(timestamp)
        renewed[Timestamp.type] = timestamp.version
        return renewed

    def _time(self) -> datetime:
        return (self.now or datetime.now(timezone.utc)).replace(microsecond=0)

    def _expiry(self, role: str) -> datetime:
        return self._time() + timedelta(days=_DAYS.get(role, _HOUSEHOLD_DAYS))

    def _half_over(self, role: str, expires: datetime) -> bool:
        return expires - self._time() < timedelta(days=_DAYS.get(role, _HOUSEHOLD_DAYS)) / 2

    def _metadata(self, name: str) -> Path:
        return self.folder / "metadata" / name

    def _delegate(self, targets: Targets, role: str) -> None:
        signer = create_key(self.keys_dir, role)
        delegated = DelegatedRole(role, [], threshold=1, terminating=True, paths=[f"{role}/*"])
        if targets.delegations is None or targets.delegations.roles is None:
            raise UsageError(f"the repository {self.folder} delegates to hash bins; this program does not.")
        targets.delegations.roles[role] = delegated
        targets.add_key(signer.public_key, role)

    def _bump(self, signed: Targets | Snapshot | Timestamp, role: str) -> None:
        signed.version += 1
        signed.expires = self._expiry(role)

    def _sign(self, signed: _Signed, *keys: str) -> bytes:
        metadata: Metadata[_Signed] = Metadata(signed)
        for name in keys:
            metadata.sign(load_signer(self.keys_dir, name), append=True)
        return metadata.to_bytes()

    def _write(self, targets: Targets, role: str, snapshot: Snapshot) -> None:
        raw = self._sign(targets, role)
        _put(self._metadata(f"{targets.version}.{role}.json"), raw)
        snapshot.meta[f"{role}.json"] = _meta(targets.version, raw)

    def _release(self, snapshot: Snapshot, timestamp: Timestamp) -> None:
        if self._metadata("timestamp.json").exists():
            self._bump(snapshot, Snapshot.type)
        raw = self._sign(snapshot, Snapshot.type)
        _put(self._metadata(f"{snapshot.version}.snapshot.json"), raw)
        timestamp.snapshot_meta = _meta(snapshot.version, raw)
        self._write_timestamp(timestamp)

    def _write_timestamp(self, timestamp: Timestamp) -> None:
        if self._metadata("timestamp.json").exists():
            timestamp.version += 1
        timestamp.expires = self._expiry(Timestamp.type)
        timestamp.unrecognized_fields[MADE_AT] = int(self._time().timestamp())
        _put(self._metadata("timestamp.json"), self._sign(timestamp, Timestamp.type))

    def _heads(self) -> tuple[Timestamp, Snapshot]:
        timestamp = self._read("timestamp.json", Timestamp)
        return timestamp, self._read(f"{timestamp.snapshot_meta.version}.snapshot.json", Snapshot)

    def _load(self, role: str, snapshot: Snapshot) -> Targets:
        return self._read(f"{snapshot.meta[f'{role}.json'].version}.{role}.json", Targets)

    def _read(self, name: str, kind: type[_Signed]) -> _Signed:
        path = self._metadata(name)
        try:
            signed: Any = Metadata.from_bytes(path.read_bytes()).signed
        except OSError as error:
            raise UsageError(
                f"no update repository at {self.folder}: {path.name}: {error.strerror}.",
                "Make one with `ota init-repo`.",
            ) from error
        except RepositoryError as error:
            raise UsageError(f"{path} is damaged: {error}.", "Restore it from a backup.") from error
        if not isinstance(signed, kind):
            raise UsageError(f"{path} is {signed.type} metadata.", "Restore it from a backup.")
        return signed


def _put(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, data)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}.", "Choose a folder of yours with free space."
        ) from error


def _meta(version: int, raw: bytes) -> MetaFile:
    return MetaFile(version, len(raw), {"sha256": hashlib.sha256(raw).hexdigest()})
