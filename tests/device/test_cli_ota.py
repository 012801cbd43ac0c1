"""The update verbs, from making a repository to going back, through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.paths import Home
from device.store.records import Consent, NewAdapter
from device.store.store import Store
from runtime.contract.household import Subject
from tests.device.fake_runtime import short_home
from tests.device.ota_world import BASE, GRANDMA, adapter, write_bundle


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as made:
        write_bundle(made)
        with Store.open(made) as store:
            first = NewAdapter(adapter(1), 1, "instant", BASE)
            store.add_subject(Subject(GRANDMA, "Grandma"), Consent("Grandma", 0.0), first)
        yield made


def _json(home: Home, *words: str, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "device.cli.main", "ota", *words, "--json"],
        env={**os.environ, "PVCHAT_HOME": str(home.root)},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    data = json.loads(done.stdout)
    assert isinstance(data, dict)
    return data


def _text(home: Home, *words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "device.cli.main", "ota", *words],
        env={**os.environ, "PVCHAT_HOME": str(home.root)},
        capture_output=True, text=True, check=True, timeout=100,
    ).stdout  # fmt: skip


def test_a_published_adapter_is_seen_and_refused_as_long_as_it_cannot_be_self_tested(
    home: Home, tmp_path: Path
) -> None:
    repo, keys, file = tmp_path / "repo", tmp_path / "keys", tmp_path / "new.safetensors"
    file.write_bytes(adapter(2))
    assert _json(home, "check", code=5)["error"]["code"] == "update"  # nobody is trusted yet
    made = _json(home, "init-repo", str(repo), "--keys", str(keys))
    _json(home, "trust", str(repo), "--sha256", "0" * 64, code=5)
    _json(home, "trust", str(repo), "--sha256", made["root_sha256"])
    published = _json(home, "add-adapter", str(repo), str(file), "--keys", str(keys), "--release", "2")
    assert (published["subject_id"], published["release"]) == (GRANDMA, 2)
    (offer,) = _json(home, "check")["subjects"]
    assert (offer["installed"], offer["offered"], offer["state"]) == (1, 2, "new")
    assert "Grandma" in _text(home, "check")
    refused = _json(home, "apply", "Grandma", code=5)["error"]  # the bundle here has no engines to test with
    assert refused["code"] == "update"
    assert "self-test" in refused["message"]
    status = _json(home, "status")
    assert [one["release"] for one in status["subjects"][0]["adapters"] if one["state"] == "active"] == [1]
    assert status["fresh"] is True
    assert "1 active" in _text(home, "status")


def test_rolling_back_names_the_person_and_both_releases(home: Home) -> None:
    with Store.open(home) as store:
        store.install_adapter(GRANDMA, adapter(2), release=2, kind="trained", base=BASE)
    assert _text(home, "rollback", "Grandma") == "Grandma is back on release 1 (was 2).\n"
    assert _json(home, "rollback", code=5)["error"]["code"] == "update"


def test_the_publisher_can_serve_more_households_and_sign_again(home: Home, tmp_path: Path) -> None:
    repo, keys = str(tmp_path / "repo"), str(tmp_path / "keys")
    _json(home, "init-repo", repo, "--keys", keys, "--household", f"h{'1' * 32}")
    served = _json(home, "add-household", repo, "--keys", keys, "--household", f"h{'2' * 32}")
    assert len(served["households"]) == 2
    assert _json(home, "refresh-repo", repo, "--keys", keys)["versions"]["timestamp"] == 3
    assert _json(home, "trust", "https://example.org/repo", code=2)["error"]["next_step"].startswith(
        "Give --root"
    )
