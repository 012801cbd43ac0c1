"""Claims about questions to a running daemon: real clips, capture processes, rings and sockets."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from runtime.contract.errors import UsageError
from tests.device.daemon_world import BASE, GRANDMA, TOM, World, world

YES = {"verdict": "yes", "confidence": 0.97}
NO = {"verdict": "no", "confidence": 0.02}


@pytest.fixture(scope="module")
def home() -> Iterator[World]:
    """Two cameras in the kitchen, one in the living room, none in the cellar."""
    cameras = {"kitchen-1": "kitchen", "kitchen-2": "kitchen", "sofa": "living room"}
    with world(cameras, ("kitchen", "living room", "cellar")) as made:
        yield made


def test_one_camera_that_sees_her_is_a_yes_with_everything_that_proves_it(home: World) -> None:
    home.say({"cameras": {"kitchen-1": NO, "kitchen-2": YES, "sofa": NO}})
    answer = home.ask("Is Grandma in the kitchen?")
    assert (answer.kind, answer.verdict, answer.confidence) == ("verdict", "yes", 0.97)
    assert answer.text == "Yes, Grandma is in the kitchen."
    assert [one.camera for one in answer.evidence] == ["kitchen-2"]
    assert {one.camera: one.state for one in answer.cameras} == {"kitchen-1": "live", "kitchen-2": "live"}
    assert answer.as_of is not None
    assert abs(time.time() - answer.as_of) < 5
    assert answer.frame_age_ms is not None
    assert 0 <= answer.frame_age_ms < 5000
    assert (answer.base, answer.adapters) == (BASE, {GRANDMA: 1, TOM: 1})
    assert answer.timings_ms["model"] == 2.0


def test_no_needs_every_camera_of_the_room_to_say_no(home: World) -> None:
    home.say({"cameras": {"kitchen-1": NO, "kitchen-2": NO, "sofa": YES}})
    answer = home.ask("Is Grandma in the kitchen?")
    assert (answer.verdict, answer.text) == ("no", "No, Grandma is not in the kitchen.")


def test_one_camera_that_cannot_tell_makes_it_unsure_with_its_reason(home: World) -> None:
    home.say(
        {"cameras": {"kitchen-1": NO, "kitchen-2": {"verdict": "unsure", "reason": "A back is in view."}}}
    )
    answer = home.ask("Is Grandma in the kitchen?")
    assert (answer.verdict, answer.reason) == ("unsure", "A back is in view.")


def test_a_camera_without_an_answer_makes_it_unsure(home: World) -> None:
    home.say({"cameras": {"kitchen-1": NO, "kitchen-2": {"error": "the engine broke."}}})
    answer = home.ask("Is Grandma in the kitchen?")
    assert answer.verdict == "unsure"
    assert "the engine broke." in answer.reason


def test_where_she_is_names_the_room_of_the_camera(home: World) -> None:
    home.say({"cameras": {"kitchen-1": NO, "kitchen-2": NO, "sofa": YES}})
    answer = home.ask("Where is Grandma?")
    assert (answer.kind, answer.verdict) == ("description", "yes")
    assert answer.text == "seen by sofa"
    home.say({"cameras": {"kitchen-1": YES, "kitchen-2": NO, "sofa": YES}})
    assert "in the kitchen (97 %) and in the living room (97 %)" in home.ask("Where is Grandma?").text


def test_what_two_people_do_is_told_where_each_is_seen(home: World) -> None:
    home.say({"cameras": {"kitchen-1": YES, "kitchen-2": NO, "sofa": NO}})
    answer = home.ask("What are Grandma and Tom doing?")
    assert (answer.kind, answer.verdict, answer.text) == (
        "description",
        "yes",
        "seen by kitchen-1 seen by kitchen-1",
    )


def test_a_room_without_a_camera_is_unavailable_and_says_what_to_do(home: World) -> None:
    home.say({"cameras": {"kitchen-1": YES, "kitchen-2": YES, "sofa": YES}})
    answer = home.ask("Is Grandma in the cellar?")
    assert (answer.verdict, answer.confidence) == ("unavailable", None)
    assert "No camera looks at the room cellar. Add one" in answer.reason


def test_no_anywhere_is_unsure_while_a_room_has_no_camera(home: World) -> None:
    home.say({"cameras": {"kitchen-1": NO, "kitchen-2": NO, "sofa": NO}})
    answer = home.ask("Is Grandma here?")
    assert answer.verdict == "unsure"
    assert "cellar" in answer.reason


def test_what_the_model_cannot_answer_is_refused_with_the_reason(home: World) -> None:
    refuse = {"refuse": "clothes cannot be told on real footage."}
    home.say({"cameras": {"kitchen-1": refuse, "kitchen-2": refuse}})
    answer = home.ask("What is Grandma wearing in the kitchen?")
    assert (answer.kind, answer.verdict) == ("refusal", None)
    assert answer.reason.startswith("clothes cannot be told on real footage.")


def test_a_name_that_nobody_has_is_the_askers_error(home: World) -> None:
    with pytest.raises(UsageError, match="Zelda"):
        home.ask("Is Zelda in the kitchen?")


def test_a_runtime_that_is_too_slow_is_unavailable_in_time(home: World) -> None:
    home.say({"cameras": {"sofa": YES}, "sleep_s": 5.0})
    started_s = time.monotonic()
    answer = home.ask("Is Grandma in the living room?", timeout_ms=3000)
    assert time.monotonic() - started_s < 3
    assert answer.verdict == "unavailable"


def test_a_runtime_that_dies_while_answering_is_asked_again_after_its_restart(home: World) -> None:
    trap = home.home.run / "die"
    trap.touch()
    home.say({"cameras": {"sofa": YES}, "die": str(trap)})
    answer = home.ask("Is Grandma in the living room?")
    assert answer.verdict == "yes"
    assert not trap.exists()


def test_a_killed_runtime_is_started_again_and_the_next_question_is_answered(home: World) -> None:
    home.say({"cameras": {"sofa": YES}})
    pid = home.runtime_pid()
    os.kill(pid, signal.SIGKILL)
    assert home.ask("Is Grandma in the living room?").verdict == "yes"
    assert home.runtime_pid() != pid
