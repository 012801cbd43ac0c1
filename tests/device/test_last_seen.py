"""Only what was sure counts as seen; `status` says who was where, how long ago and how sure."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.cli.seen import last_seen_rows, look_words
from device.daemon.last_seen import Memory
from runtime.contract.dialogue import LastSeen, Look, SubjectVerdict, Verdict
from runtime.wire import DaemonStatusReply
from tests.device.command_line import command, environment, run_json
from tests.device.daemon_world import GRANDMA, TOM, wait_for, world

LOOKS = st.builds(
    Look,
    st.sampled_from(["cook", "door"]),
    st.sampled_from(["kitchen", "hall"]),
    st.integers(0, 50).map(float),
    st.lists(
        st.builds(
            SubjectVerdict,
            st.sampled_from([GRANDMA, TOM]),
            st.sampled_from(["yes", "unsure", "no", "unavailable"]),
            st.just(0.5),
        ),
        max_size=3,
    ).map(tuple),
)


def look(at: float, verdict: Verdict, who: str = GRANDMA, *, camera: str = "cook") -> Look:
    return Look(camera, "kitchen", at, (SubjectVerdict(who, verdict, 0.5),))


def test_an_unsure_sight_is_told_beside_the_last_sure_one_and_only_while_it_is_newer() -> None:
    memory = Memory()
    sure, perhaps = (
        LastSeen(GRANDMA, "yes", 0.5, "cook", "kitchen", 10.0),
        LastSeen(GRANDMA, "unsure", 0.5, "door", "kitchen", 11.0),
    )
    memory.note(look(10.0, "yes"))
    memory.note(look(11.0, "unsure", camera="door"))
    assert memory.told() == (sure, perhaps)
    memory.note(look(12.0, "yes"))
    assert [one.at for one in memory.told()] == [12.0]


def test_who_was_absent_or_could_not_be_looked_for_was_not_seen() -> None:
    memory = Memory()
    memory.note(look(10.0, "no"))
    memory.note(look(10.0, "unavailable"))
    assert memory.told() == ()


@given(st.lists(LOOKS, max_size=20))
def test_whatever_comes_in_whatever_order_the_newest_sure_sight_is_told(looks: list[Look]) -> None:
    memory = Memory()
    for one in looks:
        memory.note(one)
    told = memory.told()
    for who in (GRANDMA, TOM):
        times = {
            verdict: max(
                (
                    one.at
                    for one in looks
                    for said in one.subjects
                    if (said.subject_id, said.verdict) == (who, verdict)
                ),
                default=-1.0,
            )
            for verdict in ("yes", "unsure")
        }
        mine = {one.verdict: one.at for one in told if one.subject_id == who}
        assert mine.get("yes", -1.0) == times["yes"]
        assert ("unsure" in mine) == (times["unsure"] > times["yes"])


@pytest.mark.parametrize(
    ("age_s", "words"),
    [(0.0, "0 s ago"), (119.4, "119 s ago"), (120.0, "2 min ago"), (7199.0, "119 min ago"),
     (7200.0, "2 h ago"), (172_800.0, "2 days ago"), (-5.0, "0 s ago")],
)  # fmt: skip
def test_ages_are_told_by_the_clock_of_the_daemon(age_s: float, words: str) -> None:
    seen = LastSeen(GRANDMA, "yes", 0.99, "cook", "kitchen", 1000.0)
    daemon = DaemonStatusReply(
        1, 1.0, 1.0, "ready", "", "", {GRANDMA: 1, TOM: 1}, looks=(look(1000.0, "unsure"),),
        last_seen=(seen,), now=1000.0 + age_s,
    )  # fmt: skip
    names = {GRANDMA: "Grandma", TOM: "Tom"}
    assert last_seen_rows(daemon, names) == [
        ("seen", f"Grandma · in kitchen (cook) {words}"),
        ("seen", "Tom · not since the daemon started"),
    ]
    assert look_words(daemon, "cook", names) == f"{words}: perhaps Grandma"
    assert look_words(daemon, "door", names) == ""


def test_status_says_who_was_last_seen_where_and_when_and_of_whom_it_is_not_sure() -> None:
    with world({"cook": "kitchen", "door": "hall"}, ("kitchen", "hall"), watch_every_ms=50) as home:
        home.say({"cameras": {"cook": {"there": {GRANDMA: "yes", TOM: "unsure"}, "unknown": 1}}})
        wait_for(lambda: len(home.status().last_seen) == 2)
        home.say({"cameras": {}})
        wait_for(lambda: all(one.subjects == () for one in home.status().looks))
        code, data = run_json(home.home, "status")
        assert code == 0
        sights = data["daemon"]["last_seen"]
        assert [(one["name"], one["verdict"], one["room"], one["camera"]) for one in sights] == [
            ("Grandma", "yes", "kitchen", "cook"),
            ("Tom", "unsure", "kitchen", "cook"),
        ]
        assert all(0 <= one["age_s"] < 60 and one["at"] > 1e9 for one in sights)
        assert {one["camera"]: one["subjects"] for one in data["daemon"]["looks"]} == {"cook": [], "door": []}
        done = subprocess.run(
            command("status"), env=environment(home.home), capture_output=True, text=True, check=True
        )
        assert "Grandma · in kitchen (cook) " in done.stdout
        assert "Tom · perhaps in kitchen (cook) " in done.stdout
