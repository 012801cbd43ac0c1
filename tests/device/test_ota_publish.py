"""The publisher's side: what lies in the repository, and what publishing refuses."""

from __future__ import annotations

import json
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Targets, Timestamp  # type: ignore[attr-defined]

from device.ota import commands
from device.ota.publish import Repository
from device.ota.release import household_role, release_from_custom, target_path
from runtime.contract.errors import AdapterError, UpdateError, UsageError
from tests.device.ota_world import BASE, GRANDMA, TOM, World, adapter

HOUSEHOLD = "h" + "0" * 32


def test_roles_have_the_thresholds_paths_and_expiries_of_the_design(tmp_path: Path) -> None:
    now = datetime(2030, 1, 1, tzinfo=timezone.utc)
    Repository(tmp_path / "repo", tmp_path / "keys", now).init(HOUSEHOLD)
    metadata = tmp_path / "repo" / "metadata"
    root = Metadata[Root].from_file(str(metadata / "1.root.json")).signed
    assert (root.roles["root"].threshold, len(root.roles["root"].keyids)) == (2, 3)
    assert root.consistent_snapshot
    targets = Metadata[Targets].from_file(str(metadata / "1.targets.json")).signed
    assert targets.delegations is not None and targets.delegations.roles is not None
    ours = targets.delegations.roles[HOUSEHOLD]
    assert (ours.terminating, ours.paths) == (True, [f"{HOUSEHOLD}/*"])
    assert targets.targets == {}, "the targets key signs no adapter"
    days = {
        name: (Metadata.from_file(str(metadata / f"{name}.json")).signed.expires - now).days
        for name in ("1.root", "1.targets", f"1.{HOUSEHOLD}", "1.snapshot", "timestamp")
    }
    assert list(days.values()) == [365, 90, 30, 7, 1]


def test_keys_are_private_and_apart_from_the_repository(tmp_path: Path) -> None:
    commands.init_repo(tmp_path / "repo", tmp_path / "keys", HOUSEHOLD)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    keys = sorted((tmp_path / "keys").iterdir())
    assert len(keys) == 7
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert not any(b"PRIVATE" in path.read_bytes() for path in (tmp_path / "repo").rglob("*.json"))


@pytest.mark.parametrize("inside", [".", "keys", "a/b"])
def test_keys_inside_the_repository_are_refused(tmp_path: Path, inside: str) -> None:
    with pytest.raises(UsageError, match="lie inside the repository"):
        commands.init_repo(tmp_path / "repo", tmp_path / "repo" / inside, HOUSEHOLD)


def test_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.keys / "timestamp.pem").chmod(0o644)
    with pytest.raises(UsageError, match="can be read by others"):
        commands.refresh_repo(world.repo, world.keys)


def test_existing_repository_or_keys_are_never_overwritten(tmp_path: Path) -> None:
    commands.init_repo(tmp_path / "repo", tmp_path / "keys", HOUSEHOLD)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    with pytest.raises(UsageError, match="holds a repository already"):
        commands.init_repo(tmp_path / "repo", tmp_path / "keys2", HOUSEHOLD)
    with pytest.raises(UsageError, match="is not overwritten"):
        commands.init_repo(tmp_path / "repo2", tmp_path / "keys", HOUSEHOLD)
    assert all(path.read_bytes() == data for path, data in before.items())


def test_failed_init_can_be_repeated(tmp_path: Path) -> None:
    commands.init_repo(tmp_path / "repo", tmp_path / "keys", HOUSEHOLD)
    with pytest.raises(UsageError):
        commands.init_repo(tmp_path / "repo2", tmp_path / "keys", HOUSEHOLD)
    commands.init_repo(tmp_path / "repo2", tmp_path / "keys2", HOUSEHOLD)


def test_repository_holds_no_name_of_a_person(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(2)
    for path in world.repo.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert b"grandma" not in data.lower() + str(path).lower().encode()


def test_release_that_is_not_above_the_published_one_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(3)
    for release in (2, 3):
        with pytest.raises(UsageError, match="is not above 3"):
            world.publish(release)
    assert world.apply()["applied"][0]["release"] == 3


def test_file_that_says_something_else_than_told_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    file = tmp_path / "a.safetensors"
    file.write_bytes(adapter(2))
    for told in ({"release": 3}, {"subject_id": TOM}, {"base": "d" * 64}):
        with pytest.raises(UsageError, match="is for"):
            commands.add_adapter(world.repo, world.keys, file, **told)
    said = commands.add_adapter(world.repo, world.keys, file, release=2, subject_id=GRANDMA, base=BASE)
    assert said["target"] == f"{world.household}/{GRANDMA}.pvadapter"
    file.write_bytes(b"no adapter")
    with pytest.raises(AdapterError):
        commands.add_adapter(world.repo, world.keys, file)


def test_household_must_be_named_when_there_are_several(tmp_path: Path) -> None:
    world = World(tmp_path)
    commands.add_household(world.repo, world.keys, HOUSEHOLD)
    file = tmp_path / "a.safetensors"
    file.write_bytes(adapter(2))
    with pytest.raises(UsageError, match="serves 2 households"):
        commands.add_adapter(world.repo, world.keys, file)
    with pytest.raises(UsageError, match="in this repository already"):
        commands.add_household(world.repo, world.keys, HOUSEHOLD)
    world.publish(2)
    assert world.apply()["applied"][0]["release"] == 2


def test_refresh_signs_what_has_lived_half_of_its_time(tmp_path: Path) -> None:
    start = datetime(2030, 1, 1, tzinfo=timezone.utc)
    folder, keys = tmp_path / "repo", tmp_path / "keys"
    Repository(folder, keys, start).init(HOUSEHOLD)
    first = Repository(folder, keys, start + timedelta(hours=12)).refresh()
    assert first == {"timestamp": 2}
    later = Repository(folder, keys, start + timedelta(days=20)).refresh()
    assert later == {HOUSEHOLD: 2, "snapshot": 2, "timestamp": 3}
    signed = Metadata[Timestamp].from_file(str(folder / "metadata" / "timestamp.json")).signed
    assert signed.expires == start + timedelta(days=21)


def test_publication_that_broke_off_before_the_timestamp_is_not_seen(tmp_path: Path) -> None:
    world = World(tmp_path)
    timestamp = (world.repo / "metadata" / "timestamp.json").read_bytes()
    world.publish(2)
    (world.repo / "metadata" / "timestamp.json").write_bytes(timestamp)
    assert world.apply()["applied"] == []
    world.publish(2)
    assert world.apply()["applied"][0]["release"] == 2


@pytest.mark.parametrize("name", ["", "h", "x1", "h/../x", "h*", "H1", "h" + "a" * 64, "h\n"])
def test_household_id_with_a_meaning_in_paths_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="a household id is"):
        household_role(name)


def test_target_path_takes_only_subject_ids() -> None:
    with pytest.raises(UsageError):
        target_path(HOUSEHOLD, "../grandma")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"schema": None}, {"schema": True}, {"release": 0}, {"release": True},
        {"release": 1.5}, {"release": 1 << 60}, {"subject_id": "Grandma"}, {"base": "../x"}, {"base": 7},
        {"kind": "onnx"},
    ],
    ids=str,
)  # fmt: skip
def test_description_that_is_not_understood_is_refused(change: dict[str, object]) -> None:
    good = {
        "schema": 1,
        "release": 2,
        "subject_id": GRANDMA,
        "base": BASE,
        "kind": "trained",
        "x": 1,
    }
    assert release_from_custom("p", json.loads(json.dumps(good))).release == 2
    with pytest.raises(UpdateError):
        release_from_custom("p", {**good, **change})
    with pytest.raises(UpdateError):
        release_from_custom("p", None)
