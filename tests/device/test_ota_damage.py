"""Faults: damaged caches, and a process that dies at any moment."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from device.ota.channel import Channel
from device.ota.fetch import FolderFetcher
from device.ota.ledger import Ledger
from runtime.contract.errors import PvchatError, StoreError, UpdateError
from tests.device.ota_world import GRANDMA, World

ROUNDS = 20
Damage = Callable[[Path], None]
_SERVER = """
import os, select, signal, sys
from pathlib import Path
from device.ota import commands
from device.paths import Home
from device.store.store import Store
from tests.device.ota_world import FakeLive

home = Home(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    delay_s = float(line)
    end, held = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end)
        with Store.open(home) as store:
            commands.apply(home, store, None, commands.Seams(self_test=lambda *_: "", live=FakeLive()))
        os._exit(0)
    os.close(held)
    done = select.select([end], [], [], delay_s)[0]
    if not done:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(end)
    print("killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)
"""


def test_damaged_cache_never_bricks_the_box_and_never_lets_it_go_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(2)
    world.check()
    cache, saved = world.home.ota / "metadata", tmp_path / "saved"
    older = shutil.copytree(cache, tmp_path / "older", symlinks=True)
    replay = shutil.copytree(world.repo, tmp_path / "replay")
    world.publish(3)
    world.check()
    shutil.copytree(cache, saved, symlinks=True)
    cases = 0
    with Ledger(world.home.ota / "ledger.db") as ledger:
        for name, damage in _damages(older):
            for repository in (replay, world.repo):
                shutil.rmtree(cache)
                shutil.copytree(saved, cache, symlinks=True)
                for file in [cache / name] if name else _files(cache):
                    damage(file)
                channel = Channel(
                    world.home.ota, ledger, world.household, time.time(), FolderFetcher(repository)
                )
                if repository == replay:
                    with pytest.raises(UpdateError):
                        channel.refresh()
                else:
                    channel.refresh()
                    offer = channel.offer(GRANDMA)
                    assert offer is not None and offer.release.release == 3, (name, damage)
                cases += 1
    assert cases >= 300


def test_cache_replaced_by_a_file_is_thrown_away(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.check()
    shutil.rmtree(world.home.ota / "metadata")
    (world.home.ota / "metadata").write_bytes(b"no folder")
    world.check()


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage"])
def test_damaged_ledger_trusts_nothing_and_touches_no_adapter(tmp_path: Path, damage: str) -> None:
    world = World(tmp_path)
    world.publish(2)
    path = world.home.ota / "ledger.db"
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "garbage": b"\x5a" * len(data)}[damage])
    with pytest.raises((StoreError, UpdateError), match="ota trust"):
        world.apply()
    assert world.active().release == 1
    path.unlink()
    world.trust()
    assert world.apply()["applied"], "trusting again mends it"


def test_release_floor_of_a_person_outlives_the_ledger(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(2)
    older = shutil.copytree(world.repo, tmp_path / "older")
    world.publish(3)
    world.apply()
    shutil.rmtree(world.home.ota)
    shutil.rmtree(world.repo)
    older.rename(world.repo)
    world.trust()
    with pytest.raises(UpdateError, match="release 2 is not newer than 3"):
        world.apply()
    assert world.active().release == 3


def test_kill_at_any_moment_leaves_the_old_adapter_or_the_new_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    draw = random.Random(7)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", _SERVER, str(world.home.root)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        assert server.stdout.readline() == "ready\n"

        def apply(delay_s: float) -> str:
            assert server.stdin is not None and server.stdout is not None
            print(delay_s, file=server.stdin, flush=True)
            return server.stdout.readline().strip()

        world.publish(2)
        started = time.monotonic()
        assert apply(60) == "0"
        whole_s = time.monotonic() - started
        killed = 0
        for release in range(3, 3 + ROUNDS):
            world.publish(release)
            before = world.active().release
            killed += apply(draw.uniform(0, whole_s)) == "killed"
            found = world.active().release
            assert found in (before, release)
            if draw.random() < 0.5:  # otherwise the next round starts from what the kill left
                assert apply(60) == "0"
                assert world.active().release == release
        assert apply(60) == "0"
        server.stdin.close()
    assert world.active().release == 2 + ROUNDS
    assert not (world.home.ota / "staging").exists()
    assert killed >= ROUNDS // 4, "the kills came too late to prove anything"
    with world.store() as store:
        named = {record.sha256 for one in store.people() for record in one.adapters if record.state != "bad"}
    assert {path.name for path in world.home.blobs.iterdir()} == named


def test_full_disk_is_refused_before_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    world.publish(2)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("device.ota.channel.shutil.disk_usage", lambda _: usage)
    with pytest.raises(PvchatError, match="Free some space"):
        world.apply()
    assert world.active().release == 1


def test_write_error_of_the_disk_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.publish(2)

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StoreError, match="No space left"):
        patch.setattr("device.ota.channel.sync_tree", full)
        world.apply()
    assert world.active().release == 1
    assert world.apply()["applied"]


def test_leftovers_of_a_broken_download_are_cleaned_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(2)
    (world.home.ota / "staging" / "deep").mkdir(parents=True)
    (world.home.ota / "staging" / "part").write_bytes(b"x")
    assert world.apply()["applied"]
    assert not (world.home.ota / "staging").exists()


def _files(cache: Path) -> list[Path]:
    return [path for path in sorted(cache.rglob("*")) if path.is_file() and not path.is_symlink()]


def _damages(older: Path) -> Iterator[tuple[str, Damage]]:
    """File of the cache (empty name: all of them) and what happens to it."""
    draw = random.Random(11)
    for name in [*(path.relative_to(older).as_posix() for path in _files(older)), "root.json", ""]:
        yield name, Path.unlink
        yield name, _become_folder
        yield name, partial(_write, b"")
        yield name, partial(_write, b"[" * 100_000)
        if name:
            yield name, partial(_write, (older / name).read_bytes())
        for sixteenths in range(1, 16, 3):
            yield name, partial(_cut, sixteenths)
        for _ in range(12):
            yield name, partial(_flip, draw.random(), draw.randrange(8))


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)


def _cut(sixteenths: int, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * sixteenths // 16])


def _flip(where: float, bit: int, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1 << bit
    path.write_bytes(data)
