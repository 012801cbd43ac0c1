"""Claims about what a daemon does when cameras, runtime, bundle or adapters change or fail."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from device.paths import Home
from runtime.contract.dialogue import Answer
from runtime.contract.errors import AdapterError, UnavailableError
from runtime.router import Server
from tests.device.daemon_world import GRANDMA, TOM, World, is_running, own_rings, wait_for, world, write_clip
from tests.device.fake_runtime import FakeRuntime

YES = {"verdict": "yes", "confidence": 0.97}
NO = {"verdict": "no", "confidence": 0.02}
KITCHEN = {"kitchen-1": "kitchen", "kitchen-2": "kitchen"}


def test_a_killed_camera_makes_no_unsure_and_comes_back_by_itself() -> None:
    rings = own_rings()
    with world(KITCHEN, ("kitchen",)) as home:
        home.say({"cameras": {"kitchen-1": NO, "kitchen-2": NO}})
        assert home.ask("Is Grandma in the kitchen?").verdict == "no"
        pid = home.capture_pid("kitchen-2")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_running(pid))
        answer = home.ask("Is Grandma in the kitchen?")
        assert answer.verdict == "unsure"
        assert "Camera kitchen-2" in answer.reason
        wait_for(lambda: home.states()["kitchen-2"] == "live")
        assert home.capture_pid("kitchen-2") != pid
        assert home.ask("Is Grandma in the kitchen?").verdict == "no"
        assert len(own_rings() - rings) == 2
    assert own_rings() <= rings


def test_a_hanging_camera_goes_stale_is_unavailable_and_is_replaced() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",), max_frame_age_ms=1000) as home:
        home.say({"cameras": {"kitchen-1": YES}})
        pid = home.capture_pid("kitchen-1")
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: home.states()["kitchen-1"] == "stale")
        answer = home.ask("Is Grandma in the kitchen?")
        assert (answer.verdict, answer.confidence, answer.evidence) == ("unavailable", None, ())
        assert answer.cameras[0].frame_age_ms is not None
        assert answer.cameras[0].frame_age_ms > 1000
        wait_for(lambda: home.states()["kitchen-1"] == "live")
        assert not is_running(pid)
        wait_for(lambda: home.ask("Is Grandma in the kitchen?").verdict == "yes")


def test_a_yes_on_a_frame_that_grew_old_during_inference_is_not_given() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",), max_frame_age_ms=1000) as home:
        home.say({"cameras": {"kitchen-1": YES}, "sleep_s": 1.3})
        assert home.ask("Is Grandma in the kitchen?").verdict == "unavailable"


def test_a_black_picture_is_covered_and_proves_nothing(tmp_path: Path) -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.say({"cameras": {"kitchen-1": NO}})
        write_clip(home.clip, contrast=0.0)
        home.configure({"dark": "kitchen"}, ("kitchen",))
        home.reload()
        wait_for(lambda: home.states() == {"dark": "covered"})
        answer = home.ask("Is Grandma in the kitchen?")
        assert answer.verdict == "unavailable"
        assert "covered or dark" in answer.reason


def test_a_file_that_is_played_once_ends_as_down_and_is_not_started_again() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        text = home.home.config_file.read_text(encoding="utf-8")
        home.home.config_file.write_text(text.replace('path = "', 'loop = false\npath = "'), encoding="utf-8")
        write_clip(home.clip, seconds=1.0)
        home.reload()
        wait_for(lambda: home.states()["kitchen-1"] == "down")
        assert any("have ended" in note for note in home.status().notes)
        assert home.daemon is not None
        assert home.daemon.capture_pids() == {"kitchen-1": None}


def test_a_new_bundle_takes_over_without_one_lost_question() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.say({"cameras": {"kitchen-1": YES}, "sleep_s": 0.05})
        old_pid, old_id = home.runtime_pid(), home.status().bundle_id
        answers: list[Answer | Exception] = []
        over = threading.Event()
        asking = threading.Thread(target=_ask_until, args=(home, over, answers))
        asking.start()
        new_id = home.put_bundle("two")
        home.reload()
        assert home.status().bundle_id == new_id != old_id
        assert home.runtime_pid() != old_pid
        wait_for(lambda: not is_running(old_pid) and len(answers) > 5)
        over.set()
        asking.join()
        assert len(answers) > 5
        assert [one for one in answers if not isinstance(one, Answer) or one.verdict != "yes"] == []


def _ask_until(home: World, over: threading.Event, answers: list[Answer | Exception]) -> None:
    while not over.is_set():
        try:
            answers.append(home.ask("Is Grandma in the kitchen?"))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            answers.append(error)


def test_a_bundle_that_cannot_be_read_leaves_the_old_one_answering() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.say({"cameras": {"kitchen-1": YES}})
        (home.home.bundles / "broken").mkdir()
        (home.home.bundles / "current").write_text("broken", encoding="ascii")
        with pytest.raises(Exception, match="no bundle at"):
            home.reload()
        assert home.ask("Is Grandma in the kitchen?").verdict == "yes"


def test_somebody_enrolled_is_known_after_a_reload() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.say({"cameras": {"kitchen-1": YES}})
        mia = "s" + "c" * 32
        home.enrol(mia, "Mia", release=3)
        home.reload()
        assert home.status().subjects == {GRANDMA: 1, TOM: 1, mia: 3}
        assert home.ask("Is Mia in the kitchen?").text == "Yes, Mia is in the kitchen."


def test_one_refused_adapter_keeps_nobody_else_out() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.say({"cameras": {"kitchen-1": YES}, "bad": [TOM]})
        home.enrol("s" + "c" * 32, "Mia")
        with pytest.raises(AdapterError, match="another base"):
            home.reload()
        assert home.status().subjects == {GRANDMA: 1, "s" + "c" * 32: 1}
        assert home.ask("Is Mia in the kitchen?").verdict == "yes"
        answer = home.ask("Is Tom in the kitchen?")
        assert answer.verdict == "unavailable"
        assert "no usable adapter is loaded for Tom" in answer.reason


def test_a_runtime_of_the_command_line_keeps_its_address_and_the_daemon_uses_its_own() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.stop()
        other = FakeRuntime("other")
        with _serving(home.home, other):
            home.start()
            home.wait_until_live()
            home.say({"cameras": {"kitchen-1": YES}})
            assert home.ask("Is Grandma in the kitchen?").verdict == "yes"
            assert home.runtime_pid() == os.getpid()
            assert other.asked == []


class _serving:  # noqa: N801 - reads like a function
    def __init__(self, home: Home, fake: FakeRuntime) -> None:
        self._server = Server(home.runtime_endpoint, fake)
        self._thread = threading.Thread(target=self._server.serve)

    def __enter__(self) -> None:
        self._server.start()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()
        self._server.close()


def test_logs_hold_no_name_and_no_question(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.say({"cameras": {"kitchen-1": YES}})
        home.ask("Is Grandma in the kitchen?")
        os.kill(home.runtime_pid(), signal.SIGKILL)
        home.ask("Is Tom in the kitchen?")
        logs = [path.read_text(encoding="utf-8") for path in home.home.logs.iterdir()]
    text = caplog.text + "".join(logs)
    assert "existence of 1 people: yes" in text
    assert "Grandma" not in text
    assert "Tom" not in text


def test_a_home_without_a_bundle_is_unavailable_and_says_so_at_once() -> None:
    with world({"kitchen-1": "kitchen"}, ("kitchen",)) as home:
        home.stop()
        (home.home.bundles / "current").write_text("gone", encoding="ascii")
        home.start()
        wait_for(lambda: set(home.states().values()) == {"live"} and home.status().runtime == "down")
        started_s = time.monotonic()
        answer = home.ask("Is Grandma in the kitchen?", timeout_ms=60_000)
        assert time.monotonic() - started_s < 10
        assert answer.verdict == "unavailable"
        assert "no bundle at" in answer.reason
        with pytest.raises(UnavailableError):
            home.runtime_pid()
