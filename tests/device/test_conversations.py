"""Claims about what the daemon remembers of a conversation, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daemon.conversations import Conversations
from runtime.client import Client
from runtime.contract.dialogue import Intent
from runtime.contract.errors import UsageError
from runtime.wire import AnswerReply, DaemonAsk
from tests.device.daemon_world import GRANDMA, TOM, World, world

ABOUT_GRANDMA, ABOUT_TOM = Intent("existence", (GRANDMA,), "kitchen"), Intent("action", (TOM,))


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_conversation_is_over_when_it_was_silent_for_long() -> None:
    clock = Clock()
    talks = Conversations(keep_s=10.0, clock=clock)
    talks.remember("one", ABOUT_GRANDMA)
    clock.now_s = 9.0
    assert talks.recall("one") == ABOUT_GRANDMA
    clock.now_s = 11.0
    assert talks.recall("one") is None


def test_conversations_do_not_hear_each_other() -> None:
    talks = Conversations()
    talks.remember("one", ABOUT_GRANDMA)
    talks.remember("two", ABOUT_TOM)
    assert (talks.recall("one"), talks.recall("two")) == (ABOUT_GRANDMA, ABOUT_TOM)
    assert talks.recall("three") is None


def test_a_question_about_nobody_changes_nothing() -> None:
    talks = Conversations()
    talks.remember("one", ABOUT_GRANDMA)
    talks.remember("one", Intent("who", (), "kitchen"))
    assert talks.recall("one") == ABOUT_GRANDMA


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200))
def test_never_more_conversations_than_allowed_and_the_newest_stay(spoken: list[int]) -> None:
    talks = Conversations(most=8)
    for number in spoken:
        talks.remember(str(number), ABOUT_TOM)
    kept = list(dict.fromkeys(reversed(spoken)))[:8]
    assert [number for number in sorted(set(spoken)) if talks.recall(str(number))] == sorted(kept)


def ask(box: World, text: str, conversation: str = "") -> AnswerReply:
    with Client(box.home.daemon_endpoint) as client:
        reply = client.call(DaemonAsk(text=text, conversation=conversation), 15_000)
    assert isinstance(reply, AnswerReply)
    return reply


def test_she_is_the_one_who_was_asked_about_in_the_same_conversation_alone() -> None:
    with world({"hob": "kitchen", "sofa": "living room"}, ("kitchen", "living room")) as box:
        first = ask(box, "Is Grandma in the kitchen?")
        assert first.conversation
        again = ask(box, "Is she still there?", first.conversation)
        assert [one.subject_id for one in again.answer.subjects] == [GRANDMA]
        assert [one.camera for one in again.answer.cameras] == ["hob"]
        assert again.conversation == first.conversation
        other = ask(box, "Is Tom here?")
        assert other.conversation != first.conversation
        for conversation in ("", "another"):
            with pytest.raises(UsageError, match="cannot tell who"):
                ask(box, "Is she still there?", conversation)


def test_an_asker_who_remembers_the_questions_is_understood_and_the_daemons_own_memory_comes_first() -> None:
    with (
        world({"hob": "kitchen", "sofa": "living room"}, ("kitchen", "living room")) as box,
        Client(box.home.daemon_endpoint) as client,
    ):

        def whom(text: str, conversation: str = "", earlier: tuple[str, ...] = ()) -> list[str]:
            request = DaemonAsk(text=text, conversation=conversation, earlier=earlier)
            reply = client.call(request, 15_000)
            assert isinstance(reply, AnswerReply)
            return [one.subject_id for one in reply.answer.subjects]

        asked = ("Is Grandma in the kitchen?", "Who is there?", "hello", "What is she doing?")
        assert whom("Is she still there?", earlier=asked) == [GRANDMA]
        assert whom("Is Tom here?", "talk") == [TOM]
        assert whom("Is he still there?", "talk", asked) == [TOM]
        with pytest.raises(UsageError, match="cannot tell who"):
            whom("Is she still there?", earlier=("Who is there?", "Is Nobody here?"))
