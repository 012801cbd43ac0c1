"""Turns come in order, end with their block, and are not waited for beyond a deadline."""

from __future__ import annotations

import threading

import pytest

from runtime.contract.errors import DeadlineError
from runtime.turns import Turns
from tests.device.daemon_world import wait_for


def test_who_waits_is_before_who_has_just_had_a_turn() -> None:
    turns, order = Turns(), []

    def swap() -> None:
        with turns.turn(20):
            order.append("swap")

    with turns.turn(1):
        thread = threading.Thread(target=swap)
        thread.start()
        wait_for(lambda: len(turns._queue) == 2)
    with turns.turn(20):
        order.append("again")
    thread.join(20)
    assert order == ["swap", "again"]


def test_a_turn_that_does_not_come_in_time_is_given_up_and_holds_nobody_up() -> None:
    turns = Turns()
    with turns.turn(1), pytest.raises(DeadlineError, match="busy until the deadline"), turns.turn(0.0):
        raise AssertionError("two at a time")
    with turns.turn(0.0):
        assert len(turns._queue) == 1


def test_a_turn_that_fails_ends() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns.turn(0.0):
        raise KeyError
    with turns.turn(0.0):
        assert len(turns._queue) == 1
