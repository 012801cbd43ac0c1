"""Every live camera is looked at all the time, questions come first, what was seen goes with the camera."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from device.daemon.presence import Presence
from device.daemon.runtime_child import RuntimeGoneError
from runtime.contract.dialogue import Answer, CameraReport, CameraState, LastSeen, Look, SubjectVerdict
from runtime.contract.errors import EngineError, UnavailableError
from runtime.contract.serving import WindowSource
from runtime.wire import AnswerReply, Ask, Done, Reply
from tests.device.daemon_world import GRANDMA, TOM, wait_for, world


class FakeHome:
    """Cameras and a runtime as `Presence` sees them."""

    def __init__(self, **states: CameraState) -> None:
        self.states = dict(states)
        self.asked: list[Ask] = []
        self.problem: Exception | None = None
        self.releases = {GRANDMA: 1, TOM: 2}
        self.calls = 0
        self.reply: Reply = AnswerReply(
            answer=Answer(
                "people", "", None, None, 0.9, as_of=12.5, unknown_people=1,
                subjects=WHO_IS_THERE,
            )
        )  # fmt: skip

    def reports(self) -> tuple[CameraReport, ...]:
        return tuple(CameraReport(name, "hall", state, 100.0) for name, state in self.states.items())

    def window(self, name: str) -> WindowSource:
        return WindowSource(name, "hall", f"ring of {name}")

    def current(self) -> Any:
        return SimpleNamespace(child=self, releases=self.releases)

    @contextmanager
    def lease(self, left_s: float) -> Iterator[Any]:
        yield self.current()

    def call(self, request: Ask, timeout_ms: int) -> Reply:
        self.asked.append(request)
        if self.problem is not None:
            raise self.problem
        return self.reply

    def presence(self) -> Presence:
        return Presence(cast(Any, self), cast(Any, self), lambda: 1)


WHO_IS_THERE = (SubjectVerdict(GRANDMA, "yes", 0.99), SubjectVerdict(TOM, "unsure", 0.6))


def test_a_look_asks_who_is_on_each_live_camera_and_keeps_how_sure_it_is() -> None:
    home = FakeHome(hall="live", door="live", shed="down")
    presence = home.presence()
    presence.look()
    assert presence.latest() == {name: Look(name, "hall", 12.5, WHO_IS_THERE, 1) for name in ("hall", "door")}
    assert [ask.intent.kind for ask in home.asked] == ["who", "who"]
    assert all(ask.evidence_dir is None and ask.names == {} for ask in home.asked), "no picture, no name"


def test_a_camera_that_is_not_live_any_more_has_nobody() -> None:
    home = FakeHome(hall="live", door="live")
    presence = home.presence()
    presence.look()
    home.states["door"] = "frozen"
    presence.look()
    assert list(presence.latest()) == ["hall"]


@pytest.mark.parametrize(
    "problem", [EngineError("broken."), UnavailableError("starting."), RuntimeGoneError("killed")]
)
def test_what_cannot_be_looked_at_has_nobody_and_the_watch_goes_on(problem: Exception) -> None:
    home = FakeHome(hall="live")
    presence = home.presence()
    presence.look()
    home.problem = problem
    presence.look()
    assert presence.latest() == {}
    home.problem = None
    presence.look()
    assert list(presence.latest()) == ["hall"]


def test_who_was_seen_is_remembered_when_nobody_can_look_any_more_and_forgotten_when_removed() -> None:
    home = FakeHome(hall="live")
    presence = home.presence()
    presence.look()
    sure = LastSeen(GRANDMA, "yes", 0.99, "hall", "hall", 12.5)
    perhaps = LastSeen(TOM, "unsure", 0.6, "hall", "hall", 12.5)
    home.states["hall"] = "down"
    presence.look()
    assert presence.latest() == {}
    assert presence.last_seen() == (sure, perhaps)
    home.releases = {TOM: 2}
    assert presence.last_seen() == (perhaps,)
    home.releases = {GRANDMA: 1, TOM: 2}
    assert presence.last_seen() == (perhaps,), "who was forgotten is not remembered again"


def test_another_reply_than_an_answer_is_nobody() -> None:
    home = FakeHome(hall="live")
    home.reply = Done()
    presence = home.presence()
    presence.look()
    assert presence.latest() == {}


def test_a_round_that_goes_wrong_is_logged_and_the_next_one_looks(caplog: pytest.LogCaptureFixture) -> None:
    home = FakeHome(hall="live")
    home.problem = KeyError("a bug")
    presence = home.presence()
    presence.start()
    wait_for(lambda: "KeyError while looking" in caplog.text)
    assert presence.latest() == {}
    home.problem = None
    wait_for(lambda: list(presence.latest()) == ["hall"])
    presence.stop()


def test_while_a_question_is_answered_nobody_looks() -> None:
    home = FakeHome(hall="live")
    home.calls = 1
    home.presence().look()
    assert home.asked == []


def test_without_anybody_enrolled_nobody_is_looked_for() -> None:
    home = FakeHome(hall="live")
    home.releases = {}
    home.presence().look()
    assert home.asked == []


def test_a_daemon_watches_its_cameras_and_still_answers() -> None:
    with world({"door": "hall"}, ("hall",), watch_every_ms=50) as home:
        home.say({"cameras": {"door": {"verdict": "yes", "confidence": 0.99, "unknown": 2}}})
        assert home.daemon is not None
        presence = home.daemon._presence
        wait_for(lambda: "door" in presence.latest() and presence.latest()["door"].unknown == 2)
        before = presence.latest()["door"].at
        assert home.ask("Is Grandma in the hall?").verdict == "yes"
        wait_for(lambda: presence.latest()["door"].at > before)
