"""The store under `kill -9` and under two processes at once."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

from device.paths import Home
from device.store.store import Store

_KILLS = 12
_WORK = """
import sys
from pathlib import Path
from device.paths import Home
from device.store.records import Consent, NewAdapter
from device.store.store import Store
from runtime.contract.household import Subject

subject = Subject("s" + "1" * 32, "Grandma")
with Store.open(Home(Path(sys.argv[1]))) as store:
    if not store.people():
        store.add_subject(subject, Consent("Grandma", 0.0), NewAdapter(b"first", 1, "instant", "b"))
    print("ready", flush=True)
    while True:
        release = store.next_release(subject.subject_id)
        data = b"%d" % release * 50_000
        store.install_adapter(subject.subject_id, data, release=release, kind="trained", base="b")
        print(release, flush=True)
"""


def _worker(home: Home) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORK, str(home.root)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )


def test_kill_9_loses_no_acknowledged_install_and_leaves_no_stray_file(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(_KILLS):
        with _worker(home) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.0, 0.12))
            worker.kill()
            said = [
                int(line) for line in worker.stdout.read().splitlines(keepends=True) if line.endswith("\n")
            ]
        acknowledged = max([acknowledged, *said])
        with Store.open(home) as store:
            (person,) = store.people()
            active = person.adapter()
            assert active is not None
            assert active.release >= acknowledged
            assert person.floor == active.release
            named = {one.sha256 for one in person.adapters}
            assert {path.name for path in home.blobs.iterdir()} == named
            for one in person.adapters:
                assert hashlib.sha256(one.path.read_bytes()).hexdigest() == one.sha256
    assert acknowledged > 1  # some installs were acknowledged: the kills hit a store at work


def test_two_processes_that_open_a_new_store_at_once_agree_on_the_household(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    program = (
        "import sys; from pathlib import Path; from device.paths import Home\n"
        "from device.store.store import Store\n"
        "with Store.open(Home(Path(sys.argv[1]))) as store: print(store.household().household_id)"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", program, str(home.root)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = {worker.communicate()[0] for worker in workers}
    assert [worker.returncode for worker in workers] == [0] * 4
    assert len(said) == 1
