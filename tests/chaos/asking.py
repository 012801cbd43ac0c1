"""Questions to a home's daemon, each checked to get what belongs to it before its deadline.

`python -m tests.chaos.asking ENDPOINT TEXT`: a client that asks the same for ever, to be killed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from runtime.client import Client
from runtime.contract.dialogue import Answer
from runtime.contract.errors import PvchatError
from runtime.wire import AnswerReply, DaemonAsk
from tests.chaos.home import BrokenHome, Resident

DEADLINE_MS = 20_000
_SLACK_S = 1.0
"""How late a client may be told on a machine whose cores are busy."""


@dataclass
class Tally:
    """What came back. Safe from any thread.

    Attributes:
        asked: questions put.
        verdicts: answers by verdict or kind; errors by code.
        unanswered: neither an answer nor an error before the deadline.
        crossed: what was wrong with replies that belong to another question, or name somebody absent.
        crashes: exceptions that no caller is promised.
    """

    asked: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    unanswered: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, verdict: str) -> None:
        """One more question that was put, and what came back."""
        with self.lock:
            self.asked += 1
            self.verdicts[verdict] += 1


class Asker:
    """Asks at random who is where."""

    def __init__(self, broken: BrokenHome, tally: Tally) -> None:
        self._broken = broken
        self._tally = tally

    def ask(self, seed: int) -> None:
        """One question with a conversation of its own; see `Tally`."""
        random = Random(seed)
        resident, where = random.choice(self._broken.residents), random.choice(self._broken.residents)
        text = f"Is {resident.name} in the {where.room}?"
        conversation = f"chaos-{seed}"
        began_s = time.monotonic()
        try:
            with Client(self._broken.home.daemon_endpoint) as client:
                reply = client.call(DaemonAsk(text=text, conversation=conversation), DEADLINE_MS)
        except PvchatError as error:
            self._tally.count(f"error {error.code}")
        except Exception as error:  # noqa: BLE001 - told in the table
            self._tally.count("crash")
            self._tally.crashes.append(f"{type(error).__name__} at {text}")
        else:
            self._judge(text, reply, resident, where, conversation)
        if time.monotonic() - began_s > DEADLINE_MS / 1000 + _SLACK_S:
            self._tally.unanswered.append(f"{text} took {time.monotonic() - began_s:.1f} s")

    def _judge(
        self, text: str, reply: object, resident: Resident, where: Resident, conversation: str
    ) -> None:
        if not isinstance(reply, AnswerReply):
            self._tally.count(type(reply).__name__)
            self._tally.crossed.append(f"{text} got {type(reply).__name__}")
            return
        self._tally.count(reply.answer.verdict or reply.answer.kind)
        wrong = mismatch(reply.answer, resident, where)
        if reply.conversation != conversation:
            wrong = f"conversation {reply.conversation}"
        if wrong:
            self._tally.crossed.append(f"{text} got {wrong}: {reply.answer.text}")


def mismatch(answer: Answer, resident: Resident, where: Resident) -> str:
    """What shows that an answer is another question's, or no answer to be believed; empty: nothing."""
    people = {one.subject_id for one in answer.subjects} - {resident.subject_id}
    cameras = {one.camera for one in answer.cameras} - {where.camera}
    evidence = {one.camera for one in answer.evidence} - {where.camera}
    if people or cameras or evidence:
        return f"people {people}, cameras {cameras}, evidence {evidence}"
    if resident.name not in answer.text and answer.verdict in ("yes", "no"):
        return "another name"
    if answer.verdict == "yes" and where != resident:
        return "yes for somebody who is not there"
    return ""


def _ask_for_ever(endpoint: str, text: str) -> None:
    with Client(endpoint) as client:
        os.write(1, b"asking\n")
        while Path(endpoint.removeprefix("ipc://")).exists():
            try:
                client.call(DaemonAsk(text=text), DEADLINE_MS)
            except PvchatError:
                time.sleep(0.05)


if __name__ == "__main__":
    _ask_for_ever(sys.argv[1], sys.argv[2])
