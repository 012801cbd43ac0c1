"""Claims about the daemon's small parts: waits, evidence pictures, sentences, addresses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import CameraConfig
from device.daemon import wording
from device.daemon.backoff import Backoff
from device.daemon.capture import CaptureOrder
from device.daemon.door import Door
from device.daemon.evidence import prune_evidence
from runtime.address import Claim
from runtime.contract.errors import UnavailableError


@given(st.lists(st.floats(0, 299), min_size=1, max_size=40), st.floats(0, 1))
def test_waits_double_up_to_the_longest_and_are_never_zero(runs: list[float], jitter: float) -> None:
    backoff = Backoff(first_s=1.0, longest_s=60.0, healthy_s=300.0, jitter=lambda: jitter)
    for count, ran_s in enumerate(runs):
        full_s = min(60.0, 2.0**count)
        assert full_s / 2 <= backoff.failed(ran_s) <= full_s


def test_after_a_long_healthy_run_waits_start_anew() -> None:
    backoff = Backoff(jitter=lambda: 1.0)
    assert [backoff.failed(1.0) for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert backoff.failed(301.0) == 1.0


def test_old_and_surplus_evidence_is_deleted_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    for age_s in (5, 50, 500, 5000):
        path = tmp_path / "day" / f"{age_s}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (10_000 - age_s, 10_000 - age_s))
        path.with_suffix(".seen").write_bytes(b"who")
    (tmp_path / "lonely.seen").write_bytes(b"who")
    assert prune_evidence(tmp_path, keep_s=1000, max_files=2, now=10_000) == 2
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == ["5.jpg", "50.jpg"]
    assert sorted(path.name for path in tmp_path.rglob("*.seen")) == ["5.seen", "50.seen"]


def test_an_order_survives_the_pipe() -> None:
    camera = CameraConfig("door", "hall", "rtsp", url="rtsp://anna:sec/ret@h/1")
    order = CaptureOrder(camera, 4.0, 24, 1000, 500)
    assert CaptureOrder.from_line(order.to_line()) == order
    assert order.to_line().count(b"\n") == 1


@pytest.mark.parametrize(
    ("room", "words"),
    [("kitchen", "in the kitchen"), ("Grandma's room", "in Grandma's room"), ("my office", "in my office")],
)
def test_rooms_read_as_people_say_them(room: str, words: str) -> None:
    assert wording.in_room(room) == words


@pytest.mark.parametrize(("confidence", "words"), [(0.999, "99 %"), (0.934, "93 %"), (0.0, "1 %")])
def test_a_probability_is_never_rounded_to_certainty(confidence: float, words: str) -> None:
    assert wording.percent(confidence) == words


@pytest.fixture
def folder() -> Iterator[Path]:
    """Private, and short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="pvc", dir="/tmp") as name:
        yield Path(name)


def test_the_address_leads_to_whatever_was_named_last(folder: Path) -> None:
    door = Door(f"ipc://{folder}/runtime.sock")
    assert door.point_at(folder / "r1.sock")
    assert door.point_at(folder / "r2.sock")
    assert (folder / "runtime.sock").readlink() == Path("r2.sock")
    with pytest.raises(UnavailableError):
        Claim(f"ipc://{folder}/runtime.sock")
    door.close()
    assert not (folder / "runtime.sock").is_symlink()


def test_an_address_that_is_taken_is_left_alone(folder: Path) -> None:
    claim = Claim(f"ipc://{folder}/runtime.sock")
    (folder / "runtime.sock").touch()
    door = Door(f"ipc://{folder}/runtime.sock")
    assert not door.point_at(folder / "r1.sock")
    door.close()
    assert (folder / "runtime.sock").is_file()
    claim.release()
