"""Short runs of the chaos, and proof that what it looks for would be found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from runtime.contract.dialogue import Answer, CameraReport, SubjectVerdict
from runtime.router import Server
from runtime.wire import Hello, encode_request
from tests.chaos import fuzz as fuzzing
from tests.chaos.__main__ import main
from tests.chaos.asking import Asker, Tally, mismatch
from tests.chaos.fuzz import EchoSession, fuzz
from tests.chaos.gauges import Gauge, gauge, growth
from tests.chaos.home import BrokenHome, Resident
from tests.chaos.mutate import ENVELOPE_BYTES
from tests.chaos.report import Findings, table
from tests.chaos.soak import soak


def test_fuzzed_messages_crash_nothing_and_coverage_guides_them() -> None:
    made = fuzz(limit=600, quiet=600, seed=3, look_every=40)
    assert made.crashes == []
    assert made.messages == 600
    assert len(made.corpus) > 30
    assert made.crash_rate_below == pytest.approx(3 / 600)
    assert made.growth is not None
    assert (made.growth.fds, made.growth.threads) == (0, 0)


def test_a_bug_behind_the_socket_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: EchoSession, refs: Any) -> None:
        raise KeyError("planted")

    monkeypatch.setattr(EchoSession, "prepare_subjects", broken)
    made = fuzz(limit=30, quiet=30, seed=1)
    assert any("internal error in SetSubjects (KeyError)" in one for one in made.crashes)
    assert made.crash_rate_below == 1.0


def test_a_decoder_that_raises_what_it_does_not_promise_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raw: bytes) -> Any:
        raise IndexError("planted")

    monkeypatch.setattr(fuzzing, "decode_reply", broken)
    made = fuzz(limit=5, quiet=5, seed=1)
    assert any(one.startswith("reply: IndexError: planted") for one in made.crashes)


def test_a_reply_that_comes_twice_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    send = Server._send

    def twice(self: Server, peer: bytes, raw: bytes) -> None:
        send(self, peer, raw)
        send(self, peer, raw)

    monkeypatch.setattr(Server, "_send", twice)
    made = fuzz(limit=5, quiet=5, seed=1)
    assert any("which was not asked now" in one for one in made.crashes)


def test_the_fuzzer_stops_when_nothing_new_is_reached() -> None:
    made = fuzz(limit=100_000, quiet=20, seed=1)
    assert 20 <= made.messages < 2_000
    assert made.quiet == 20


@pytest.mark.parametrize("act", [fuzzing._request, fuzzing._reply])
def test_names_that_a_sender_makes_up_are_no_new_coverage(act: Callable[[bytes], list[str]]) -> None:
    envelope = encode_request(Hello(), bytes(16), 5_000)[:ENVELOPE_BYTES]
    kind = "hello" if act is fuzzing._request else "done"
    reached = {
        words
        for name in ("one", "t`w`o", "thr'ee\n", 'f"our')
        for words in act(envelope + msgspec.msgpack.encode({"type": kind, name: 1}))
    }
    assert len(reached) == 1
    assert "unknown field" in reached.pop()


GRANDMA = Resident("Grandma", "kitchen", "cook", "s1")
TOM = Resident("Tom", "living room", "sofa", "s2")


def said(verdict: Any, who: Resident, camera: str, text: str) -> Answer:
    return Answer(
        "verdict", text, verdict, 0.9, 0.9,
        subjects=(SubjectVerdict(who.subject_id, verdict, 0.9),),
        cameras=(CameraReport(camera, "kitchen", "live", 1.0),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "where", "found"),
    [
        (said("yes", GRANDMA, "cook", "Yes, Grandma is."), GRANDMA, ""),
        (said("yes", TOM, "cook", "Yes, Tom is."), GRANDMA, "people"),
        (said("yes", GRANDMA, "sofa", "Yes, Grandma is."), GRANDMA, "cameras"),
        (said("no", GRANDMA, "cook", "No, Tom is not."), GRANDMA, "another name"),
        (said("yes", GRANDMA, "sofa", "Yes, Grandma is."), TOM, "not there"),
    ],
)
def test_an_answer_to_another_question_is_noticed(answer: Answer, where: Resident, found: str) -> None:
    assert found in mismatch(answer, GRANDMA, where)
    assert bool(mismatch(answer, GRANDMA, where)) == bool(found)


def test_growth_after_the_warm_up_is_wrong_and_growth_before_it_is_not() -> None:
    warming = [Gauge(100.0 + min(20, number) * 5, 20, 8) for number in range(100)]
    assert growth(warming).rss_mib == 0.0
    leaking = [Gauge(100.0 + number, 20 + number, 8) for number in range(100)]
    findings = Findings(grown={"daemon": growth(leaking)})
    assert "daemon grew by" in findings.problems()[0]
    assert findings.line()["fds_growth"] > 50
    with pytest.raises(ValueError, match="too few"):
        growth(leaking[:5])


@pytest.mark.parametrize("questions", [0, 10])
def test_a_soak_of_which_no_windows_are_wanted_has_none(
    questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    home = SimpleNamespace(
        process=SimpleNamespace(pid=os.getpid()), residents=(GRANDMA, TOM), runtime_pid=os.getpid
    )
    monkeypatch.setattr(Asker, "ask", lambda self, number: asked.append(number))
    grown = soak(cast(BrokenHome, home), Tally(), questions, 0)
    assert len(asked) == questions
    assert set(grown) == (
        {f"questions: {who}" for who in ("daemon", "runtime", "client")} if questions else set()
    )


def test_a_gauge_sees_a_descriptor_and_this_process() -> None:
    before = gauge(os.getpid())
    with Path(os.devnull).open("rb"):
        assert gauge(os.getpid()).fds == before.fds + 1
    assert before.rss_mib > 1


def test_whatever_went_wrong_is_told_and_counted() -> None:
    tally = Tally(asked=3, unanswered=["late"], crossed=["other"], crashes=["bug"])
    findings = Findings(tally=tally, broken=["soak broke off"])
    assert findings.problems() == ["soak broke off", "late", "other", "bug"]
    line = findings.line()
    assert (line["unanswered"], line["crossed"], line["crashes"]) == (1, 1, 1)
    assert "crossed" in table(findings)


@pytest.mark.timeout(900)
def test_a_home_survives_kill_9_and_a_short_soak(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--fuzz", "0", "--rounds", "4", "--questions", "10", "--windows", "20", "--seed", "2"])
    printed = capsys.readouterr().out
    line = json.loads(printed.splitlines()[-1])
    counts = [line[key] for key in ("rounds", "unanswered", "crossed", "crashes", "not_restarted")]
    assert counts == [4, 0, 0, 0, 0], printed
    assert line["soak_windows"] == 20, printed
    assert line["asked"] == 4 * 4 + 10
    wrong = [one for one in printed.splitlines() if one.startswith("WRONG") and "grew by" not in one]
    assert wrong == [], "so short a soak is all warm-up: growth is not judged here"
