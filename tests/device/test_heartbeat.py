"""Claims about a runtime that runs and no longer works: it is told apart from a busy one, and replaced."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from device.daemon.heartbeat import Heartbeat, Rhythm
from runtime.contract.errors import BusyError, DeadlineError, EngineError, PvchatError
from runtime.wire import Done, HealthReply, Reply, Request
from tests.device.daemon_world import GRANDMA, World, is_running, short_world, wait_for

ALWAYS = Rhythm(every_s=0.0, reply_ms=100, missed=3, overdue_s=60.0)
QUICK = Rhythm(every_s=0.2, reply_ms=3_000, missed=2, overdue_s=1.0)
YES = {"verdict": "yes", "confidence": 0.97}


def healthy(overdue_s: float = 0.0) -> HealthReply:
    return HealthReply(
        bundle_id="b", uptime_s=1.0, served=0, failed=0, expired=0, refused=0, queue=0, rss_mib=1.0,
        overdue_s=overdue_s,
    )  # fmt: skip


def heart(*beats: Reply | PvchatError) -> Heartbeat:
    """A heart that is answered so, beat by beat."""
    left = iter(beats)

    def call(request: Request, timeout_ms: int) -> Reply:
        beat = next(left)
        if isinstance(beat, PvchatError):
            raise beat
        return beat

    return Heartbeat(call, ALWAYS)


def test_three_beats_without_a_reply_in_a_row_are_a_hang() -> None:
    late = DeadlineError("late.")
    beating = heart(late, late, healthy(), late, late, late)
    assert [bool(beating.trouble()) for _ in range(6)] == [False] * 5 + [True]


@pytest.mark.parametrize("reply", [BusyError("full."), EngineError("no engine."), Done()])
def test_a_runtime_that_answers_anything_does_not_hang(reply: Reply | PvchatError) -> None:
    late = DeadlineError("late.")
    beating = heart(late, late, reply, late, late)
    assert [beating.trouble() for _ in range(5)] == [""] * 5


def test_a_request_long_past_its_deadline_is_a_hang_although_the_loop_replies() -> None:
    beating = heart(healthy(59.0), healthy(61.0))
    assert beating.trouble() == ""
    assert "61 s after its deadline" in beating.trouble()


def test_no_beat_is_sent_before_it_is_due() -> None:
    calls: list[Request] = []

    def call(request: Request, timeout_ms: int) -> Reply:
        calls.append(request)
        return healthy()

    beating = Heartbeat(call, Rhythm(every_s=3600.0))
    assert [beating.trouble() for _ in range(5)] == [""] * 5
    assert calls == []


def _stop_its_loop(home: World) -> None:
    os.kill(home.runtime_pid(), signal.SIGSTOP)


def _let_its_model_hang(home: World) -> None:
    trap = home.home.run / "hang"
    trap.touch()
    home.say({"cameras": {"sofa": YES}, "hang": str(trap)})
    assert home.ask("Is Grandma in the hall?", timeout_ms=2_000).verdict == "unavailable"
    assert not trap.exists()


def _next_pid(home: World) -> int | None:
    """None while there is none."""
    try:
        return home.runtime_pid()
    except PvchatError:
        return None


@pytest.mark.parametrize("hang", [_stop_its_loop, _let_its_model_hang])
def test_a_runtime_that_hangs_is_killed_and_the_next_one_answers(hang: Callable[[World], None]) -> None:
    with short_world({"sofa": "hall"}, ("hall",)) as home:
        home.enrol(GRANDMA, "Grandma")
        home.start(rhythm=QUICK)
        home.wait_until_live()
        home.say({"cameras": {"sofa": YES}})
        pid = home.runtime_pid()
        hang(home)
        wait_for(lambda: not is_running(pid))
        wait_for(lambda: _next_pid(home) not in (None, pid))
        assert home.ask("Is Grandma in the hall?").verdict == "yes"
