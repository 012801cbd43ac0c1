"""Rounds of `kill -9`: the runtime, a capture process or a client dies while questions are on their way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from tests.chaos.asking import Asker, Tally
from tests.chaos.home import ROOT, BrokenHome

_QUESTIONS = 4
_LONGEST_DELAY_S = 0.6
_RESTART_S = 120.0


@dataclass
class Rounds:
    """What happened.

    Attributes:
        done: rounds.
        killed: processes by kind.
        restarts_s: seconds until the home was whole again.
        lost: what was not started again in time.
    """

    done: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    restarts_s: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def kill_rounds(broken: BrokenHome, tally: Tally, rounds: int, seed: int) -> Rounds:
    """Kill once a round while four clients ask; then wait until the home is whole again."""
    made, random = Rounds(), Random(seed)
    asker = Asker(broken, tally)
    with ThreadPoolExecutor(_QUESTIONS) as pool:
        for number in range(rounds):
            kind = random.choice(("runtime", "capture", "client"))
            client = _client(broken) if kind == "client" else None
            asked = [
                pool.submit(asker.ask, seed * 1_000_000 + number * _QUESTIONS + i) for i in range(_QUESTIONS)
            ]
            time.sleep(random.uniform(0.0, _LONGEST_DELAY_S))
            victim = _victim(broken, kind, client, random)
            if victim is not None:
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                made.killed[kind] += 1
            for one in asked:
                one.result()
            if client is not None:
                client.wait()
            _await_whole(broken, made, kind, victim, number)
            made.done += 1
            if broken.process.poll() is not None:
                made.lost.append("the daemon itself has ended")
                break
    return made


def _victim(
    broken: BrokenHome, kind: str, client: subprocess.Popen[bytes] | None, random: Random
) -> int | None:
    if client is not None:
        return client.pid
    if kind == "runtime":
        return broken.runtime_pid()
    pids = broken.capture_pids()
    return random.choice(pids) if pids else None


def _await_whole(broken: BrokenHome, made: Rounds, kind: str, victim: int | None, number: int) -> None:
    took_s = broken.wait_until_whole(_RESTART_S)
    if took_s is None:
        made.lost.append(f"round {number}: not whole {_RESTART_S:.0f} s after a {kind} was killed")
        return
    made.restarts_s.append(took_s)
    if kind != "client" and victim in (broken.runtime_pid(), *broken.capture_pids()):
        made.lost.append(f"round {number}: the killed {kind} is still there")


def _client(broken: BrokenHome) -> subprocess.Popen[bytes]:
    """Another process that asks, and does so already."""
    one = broken.residents[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.asking", broken.home.daemon_endpoint,
         f"Is {one.name} in the {one.room}?"],
        cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    if process.stdout is None:
        raise RuntimeError("a pipe was asked for and not given")
    with process.stdout as said:
        said.readline()
    return process
