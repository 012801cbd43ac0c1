"""What somebody between publisher and box, or with one stolen key, could try."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import DelegatedRole, Metadata, Root, TargetFile, Targets  # type: ignore[attr-defined]

from device.ota import commands
from device.ota.fetch import PIECE_BYTES, FolderFetcher
from device.ota.keys import create_key, load_signer
from device.ota.release import Release, target_path
from runtime.contract.errors import BundleError, UnavailableError, UpdateError, UsageError
from tests.device.ota_world import BASE, GRANDMA, World, adapter, write_bundle

OTHER = "hother"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("position", [0, 100, -1])
def test_target_with_one_flipped_byte_is_refused(world: World, position: int) -> None:
    file = world.publish(2)
    _flip(file, position)
    with pytest.raises(UpdateError, match="not to be trusted"):
        world.apply()
    assert world.active().release == 1
    assert "not to be trusted" in world.status()["last_refusal"]["reason"]
    _flip(file, position)
    assert world.apply()["applied"], "after a refusal the genuine file is still taken"


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "household"])
def test_metadata_with_one_flipped_byte_is_refused(world: World, role: str) -> None:
    world.publish(2)
    name = world.household if role == "household" else role
    for file in (world.repo / "metadata").glob(f"*{name}.json"):
        _flip(file, len(file.read_bytes()) * 3 // 4)
    with pytest.raises(UpdateError, match=r"not to be trusted|cannot be read"):
        world.apply()
    assert world.active().release == 1


@pytest.mark.parametrize("cache", ["kept", "wiped", "emptied"])
def test_replayed_older_repository_is_refused(world: World, cache: str) -> None:
    world.publish(2)
    shutil.copytree(world.repo, world.folder / "old")
    world.publish(3)
    world.apply()
    shutil.rmtree(world.repo)
    (world.folder / "old").rename(world.repo)
    if cache == "wiped":
        shutil.rmtree(world.home.ota / "metadata")
    elif cache == "emptied":
        for file in (world.home.ota / "metadata").glob("*.json"):
            file.write_bytes(b"")
    with pytest.raises(UpdateError, match="went back: timestamp has version 2, this box has seen 3"):
        world.apply()
    assert world.active().release == 3


def test_key_of_one_household_cannot_sign_for_another(world: World) -> None:
    commands.add_household(world.repo, world.keys, OTHER)
    publisher = world.publisher()
    timestamp, snapshot = publisher._heads()
    theirs = publisher._load(OTHER, snapshot)
    path = target_path(world.household, GRANDMA)
    fields = {"custom": Release(GRANDMA, 2, BASE, "trained").to_custom()}
    file = world.folder / "file"
    file.write_bytes(adapter(2))
    theirs.targets[path] = _target(path, file, fields)
    theirs.version += 1
    publisher._write(theirs, OTHER, snapshot)
    publisher._release(snapshot, timestamp)
    assert world.apply()["applied"] == []
    assert world.active().release == 1


def test_household_list_signed_with_another_key_is_refused(world: World) -> None:
    world.publish(2)
    (world.keys / f"{world.household}.pem").rename(world.keys / "real.pem")
    create_key(world.keys, world.household)
    world.publish(3)
    with pytest.raises(UpdateError, match="not to be trusted"):
        world.apply()
    assert world.active().release == 1


def test_repository_of_another_household_is_refused(world: World) -> None:
    repo, keys = world.folder / "repo2", world.folder / "keys2"
    commands.init_repo(repo, keys, OTHER)
    commands.trust(world.home, str(repo), repo / "root.json")
    with pytest.raises(UpdateError, match="holds nothing for household"):
        world.check()


def test_repository_with_another_root_is_refused(world: World) -> None:
    shutil.rmtree(world.repo)
    commands.init_repo(world.repo, world.folder / "keys2", world.household)
    with pytest.raises(UpdateError, match="not to be trusted"):
        world.check()


def test_root_with_too_few_signatures_is_not_trusted(world: World) -> None:
    metadata = Metadata[Root].from_file(str(world.repo / "root.json"))
    metadata.signatures.popitem()
    metadata.to_file(str(world.folder / "weak.json"))
    with pytest.raises(UpdateError, match="was signed by 1/2 keys"):
        commands.trust(world.home, str(world.repo), world.folder / "weak.json")


def test_root_with_another_fingerprint_than_told_is_not_trusted(world: World) -> None:
    with pytest.raises(UpdateError, match="not 0000"):
        commands.trust(world.home, str(world.repo), world.repo / "root.json", sha256="0000")


def test_old_keys_are_worth_nothing_after_a_change_of_keys(world: World) -> None:
    world.publish(2)
    shutil.copytree(world.repo, world.folder / "old")
    _change_keys(world)
    world.publish(3)
    world.apply()
    assert world.active().release == 3
    shutil.rmtree(world.repo)
    (world.folder / "old").rename(world.repo)
    shutil.rmtree(world.home.ota / "metadata")
    with pytest.raises(UpdateError, match="not to be trusted"):
        world.apply()
    assert world.active().release == 3


def test_versions_driven_up_by_a_thief_recover_with_new_keys(world: World) -> None:
    publisher = world.publisher()
    timestamp, snapshot = publisher._heads()
    timestamp.version, snapshot.version = 1_000_000, 1_000_000
    publisher._release(snapshot, timestamp)
    world.check()
    shutil.rmtree(world.home.ota / "metadata")
    _change_keys(world, version=10)
    world.publish(2)
    assert world.apply()["applied"] == [{"subject_id": GRANDMA, "release": 2, "watched": False}]


def test_expired_repository_is_refused_and_a_refresh_mends_it(world: World) -> None:
    world.publisher(datetime.now(timezone.utc) - timedelta(days=2)).refresh()
    with pytest.raises(UpdateError, match="has expired"):
        world.check()
    commands.refresh_repo(world.repo, world.keys)
    world.check()


def test_clock_behind_the_signatures_is_never_called_fresh(world: World) -> None:
    world.check()
    past = time.time() - 8 * 365 * 86_400
    with pytest.raises(UpdateError, match=r"clock is .* s behind a signature"):
        world.check(clock=lambda: past)
    assert world.status(clock=lambda: past)["fresh"] is None
    assert world.active().release == 1


@pytest.mark.parametrize("victim", ["2.root.json", "timestamp.json", "snapshot.json", "target"])
def test_endless_data_is_cut_at_the_cap(world: World, victim: str) -> None:
    file = world.publish(2)
    fetcher = _Endless(world.repo, file.name if victim == "target" else victim)
    with pytest.raises(UpdateError, match="not to be trusted"):
        world.apply(fetcher=fetcher)
    assert 0 < fetcher.sent <= 2 * ((1 << 18) + PIECE_BYTES), "at most the cap, tried at most twice"
    assert world.active().release == 1


def test_adapter_beyond_the_size_limit_is_refused_before_download(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = world.publish(2)
    monkeypatch.setattr("device.ota.channel.MAX_ADAPTER_BYTES", 100)
    fetcher = _Endless(world.repo, "no such file")
    with pytest.raises(UpdateError, match="allowed are 100"):
        world.apply(fetcher=fetcher)
    assert not any(file.name in url for url in fetcher.urls)


def test_thousand_delegations_are_not_followed(world: World) -> None:
    world.publish(2)
    publisher = world.publisher()
    timestamp, snapshot = publisher._heads()
    targets = publisher._load(Targets.type, snapshot)
    assert targets.delegations is not None and targets.delegations.roles is not None
    ours = targets.delegations.roles.pop(world.household)
    for number in range(1000):
        name = f"bomb{number}"
        targets.delegations.roles[name] = DelegatedRole(name, [], 1, False, [f"{world.household}/*"])
        targets.add_key(load_signer(world.keys, "targets").public_key, name)
        if number < 8:
            shutil.copy(world.keys / "targets.pem", world.keys / f"{name}.pem")
            publisher._write(Targets(version=1, expires=targets.expires), name, snapshot)
    targets.delegations.roles[world.household] = ours
    targets.version += 1
    publisher._write(targets, Targets.type, snapshot)
    publisher._release(snapshot, timestamp)
    fetcher = _Endless(world.repo, "no such file")
    with pytest.raises(UpdateError, match="no usable metadata"):
        world.apply(fetcher=fetcher)
    followed = {url for url in fetcher.urls if "bomb" in url}
    assert 0 < len(followed) <= 5
    assert world.active().release == 1


def test_repository_that_is_gone_is_unavailable_not_refused(world: World) -> None:
    world.repo.rename(world.folder / "away")
    with pytest.raises(UnavailableError, match="cannot be read"):
        world.check()
    assert world.active().release == 1


def test_bundle_that_is_gone_refuses_and_keeps_the_adapter(world: World) -> None:
    world.publish(2)
    (world.home.bundles / "toy" / "manifest.json").unlink()
    with pytest.raises(BundleError, match="no bundle"):
        world.apply()
    write_bundle(world.home)
    assert world.active().release == 1


def test_address_that_is_neither_folder_nor_web_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="neither an absolute folder nor an http"):
        commands.trust(world.home, "ftp://somewhere/x", world.repo / "root.json")


class _Endless(FolderFetcher):
    """A folder in which one file never ends; remembers what was asked for and how much it gave."""

    def __init__(self, folder: Path, victim: str) -> None:
        super().__init__(folder)
        self._victim = victim
        self.sent = 0
        self.urls: list[str] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.urls.append(url)
        return self._forever() if url.endswith(self._victim) else super()._fetch(url)

    def _forever(self) -> Iterator[bytes]:
        while True:
            self.sent += PIECE_BYTES
            yield b" " * PIECE_BYTES


def _target(path: str, file: Path, fields: dict[str, Any]) -> Any:
    target = TargetFile.from_file(path, str(file), ["sha256"])
    target.unrecognized_fields.update(fields)
    return target


def _flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def _change_keys(world: World, version: int | None = None) -> None:
    """A second root that gives timestamp and snapshot new keys, as after a theft."""
    metadata = Metadata[Root].from_file(str(world.repo / "metadata" / "1.root.json"))
    metadata.signed.version = 2
    for role in ("timestamp", "snapshot"):
        for key_id in list(metadata.signed.roles[role].keyids):
            metadata.signed.revoke_key(key_id, role)
        (world.keys / f"{role}.pem").unlink()
        metadata.signed.add_key(create_key(world.keys, role).public_key, role)
    metadata.signatures.clear()
    for name in ("root-1", "root-3"):
        metadata.sign(load_signer(world.keys, name), append=True)
    metadata.to_file(str(world.repo / "metadata" / "2.root.json"))
    publisher = world.publisher()
    timestamp, snapshot = publisher._heads()
    if version is not None:
        timestamp.version, snapshot.version = version, version
    publisher._release(snapshot, timestamp)
