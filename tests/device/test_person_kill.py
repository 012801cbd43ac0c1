"""Enrolling that is broken off at any moment, and the same command once more: real processes and sockets."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator

import pytest

from device.store.records import Person
from device.store.store import Store
from tests.device.fake_runtime import serving, short_home
from tests.device.test_person import Box

MOMENTS = 4


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with short_home() as home, serving(home) as runtime:
        clip = home.root / "clip.mp4"
        clip.write_bytes(b"a film")
        made = Box(home, runtime, clip)
        made.run(*made.add("Warm"))  # the first start compiles
        yield made


def lasted_s(box: Box, *words: str) -> float:
    """How long a command takes here and now."""
    start = time.monotonic()
    assert box.run(*words)[0] == 0
    return time.monotonic() - start


def break_off(box: Box, number: int, after_s: float, *words: str) -> None:
    """The command, sent a signal after some time. Libraries turn Ctrl-C into their own: any end is fine."""
    with box.start(*words) as process:
        time.sleep(after_s)
        process.send_signal(number)
        process.communicate(timeout=60)


def whole(box: Box, name: str) -> Person | None:
    """The person, with every file that the store names, and no other file in the vault; None: nobody."""
    with Store.open(box.home) as store:
        found = next((one for one in store.people() if one.subject.name == name), None)
        assert len(store.active_adapters()) == len(store.people())
    if found is not None:
        assert found.sheet is not None and found.sheet.is_file()
        for record in found.adapters:
            assert record.path.read_bytes() == b"adapter of " + found.subject.subject_id.encode()
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_broken_off_at_any_moment_leaves_nobody_or_a_whole_person_and_the_same_command_finishes(
    box: Box, number: signal.Signals
) -> None:
    chance = random.Random(int(number))
    span_s = lasted_s(box, *box.add(f"First {number.name}"))
    for step in range(MOMENTS):
        name = f"{number.name} {step}"
        break_off(box, number, span_s * chance.uniform(0.1, 1.1) * (step + 1) / MOMENTS, *box.add(name))
        there = whole(box, name)
        code, _, err = box.run(*box.add(name))
        assert code == (0 if there is None else 2), err
        assert there is None or "already answers to" in err
        assert whole(box, name) is not None and box.left_over() == []


def test_learning_again_that_is_killed_keeps_the_old_adapter_or_has_the_new_one(box: Box) -> None:
    chance = random.Random(9)
    span_s = lasted_s(box, *box.add("Again"))
    for step in range(MOMENTS):
        before = whole(box, "Again")
        break_off(box, signal.SIGKILL, span_s * chance.uniform(0.4, 1.1), *box.add("Again", "--replace"))
        after = whole(box, "Again")
        assert before is not None and after is not None
        active = after.adapter()
        assert active is not None and active.release in (before.floor, before.floor + 1), step
        with Store.open(box.home) as store:
            consents = len(store.consents(after.subject.subject_id))
        assert consents == active.release, "a consent on record for every adapter that was ever active"
    assert box.run(*box.add("Again", "--replace"))[0] == 0
    assert box.left_over() == []
