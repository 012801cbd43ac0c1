"""Claims about the HTTP server in front of a real runtime: real sockets, a real client, the tiny bundle."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from device.paths import Home
from runtime.client import Client, wait_until_ready
from runtime.logs import JsonLines
from tests.device.command_line import run_json
from tests.device.http_world import chat, clip_of, data_url, served, tiny_home, until
from tests.fakes.tiny_bundle import ANN, BEN, frame


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tiny_home() as made:
        clip_of(made.root / "clips/ann.mkv", {20: ANN})
        yield made


@pytest.fixture(scope="module")
def web(home: Home) -> Iterator[httpx.Client]:
    with served(home) as client:
        yield client


def clip(home: Home, name: str = "ann.mkv") -> str:
    return str(home.root / "clips" / name)


@pytest.mark.parametrize(("name", "verdict"), [("Ann", "yes"), ("Ben", "no")])
def test_an_answer_is_the_one_that_the_command_line_prints(
    home: Home, web: httpx.Client, name: str, verdict: str
) -> None:
    question = f"Is {name} here?"
    code, printed = run_json(home, "ask", question, "--clip", clip(home))
    reply = web.post("/v1/ask", json={"question": question, "clip": clip(home)})
    said = reply.json()
    assert (reply.status_code, said["verdict"], code) == (200, verdict, 0)
    assert list(said) == list(printed)
    for answer in (said, printed):
        del answer["timings_ms"]
        for one in answer["evidence"]:
            assert Path(one.pop("image")).is_file()
            one.pop("event")
    assert said == printed


@pytest.mark.parametrize(("colour", "verdict"), [(ANN, "yes"), (BEN, "no")])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_picture_in_a_chat_is_answered_and_says_what_does_not_apply(
    home: Home, web: httpx.Client, colour: tuple[int, int, int], verdict: str, kind: str
) -> None:
    reply = web.post("/v1/chat/completions", json=chat("Is Ann here?", data_url(frame({20: colour}), kind)))
    assert reply.status_code == 200
    said = reply.json()
    assert said["pvchat"]["verdict"] == verdict
    assert said["pvchat"]["as_of"] is None and said["pvchat"]["frame_age_ms"] is None
    message = said["choices"][0]["message"]
    assert message["role"] == "assistant" and message["content"].startswith(said["pvchat"]["text"])
    assert "freshness and rooms do not apply" in message["content"]
    assert all(one["image"] == "" for one in said["pvchat"]["evidence"])


def test_she_in_a_chat_is_whom_the_users_messages_before_named(web: httpx.Client) -> None:
    body = chat("Is she here?", data_url(frame({20: ANN})))
    assert web.post("/v1/chat/completions", json=body).status_code == 400
    before = [
        {"role": "user", "content": "Is Ann here?"},
        {"role": "assistant", "content": "Is Ben here?"},
        {"role": "user", "content": ""},
    ]
    reply = web.post("/v1/chat/completions", json={**body, "messages": [*before, *body["messages"]]})
    assert reply.status_code == 200
    assert reply.json()["pvchat"]["text"].startswith("Yes, Ann is")


def test_a_picture_is_answered_as_the_clip_of_it_and_leaves_nothing_behind(
    home: Home, web: httpx.Client
) -> None:
    before = sorted(home.evidence.rglob("*"))
    said = web.post("/v1/chat/completions", json=chat("Is Ann here?", data_url(frame({20: ANN})))).json()[
        "pvchat"
    ]
    assert list(home.incoming.iterdir()) == []
    assert sorted(home.evidence.rglob("*")) == before
    told = web.post("/v1/ask", json={"question": "Is Ann here?", "clip": clip(home)}).json()
    seen = {(tuple(one["box"]), one["frame_sha256"]) for one in told["evidence"]}
    assert {(tuple(one["box"]), one["frame_sha256"]) for one in said["evidence"]} & seen
    assert said["adapters"] == told["adapters"] and said["base"] == told["base"] != ""


def test_a_stream_is_the_same_completion_in_events(home: Home, web: httpx.Client) -> None:
    body = chat("Is Ben here?", clip=clip(home), stream=True)
    reply = web.post("/v1/chat/completions", json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in reply.text.splitlines() if line]
    assert events[-1] == "[DONE]"
    pieces = [json.loads(event) for event in events[:-1]]
    text = "".join(piece["choices"][0]["delta"].get("content", "") for piece in pieces)
    assert text.startswith("No, I do not see Ben")
    assert [piece["choices"][0]["finish_reason"] for piece in pieces] == [None, "stop"]
    assert pieces[0]["pvchat"]["verdict"] == "no"


def test_an_unknown_person_is_a_bad_request_with_the_nearest_name(home: Home, web: httpx.Client) -> None:
    reply = web.post("/v1/ask", json={"question": "Is Anne here?", "clip": clip(home)})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["code"] == "usage" and "Anne" in error["message"]
    assert error["next_step"] == 'Did you mean "Ann"?'


def test_a_question_that_is_not_understood_is_an_answer_that_refuses(home: Home, web: httpx.Client) -> None:
    reply = web.post("/v1/chat/completions", json=chat("Was Ann here yesterday?", clip=clip(home)))
    said = reply.json()
    assert (reply.status_code, said["pvchat"]["kind"], said["pvchat"]["exit_code"]) == (200, "refusal", 6)
    assert said["choices"][0]["message"]["refusal"]
    assert said["pvchat"]["reason"] in said["choices"][0]["message"]["content"]


def test_cameras_without_a_daemon_are_an_unavailable_answer(web: httpx.Client) -> None:
    reply = web.post("/v1/ask", json={"question": "Is Ann in the kitchen?"})
    said = reply.json()
    assert (reply.status_code, said["verdict"], said["exit_code"]) == (200, "unavailable", 4)
    assert "pvchat-edge daemon" in said["reason"]


def test_a_clip_outside_of_the_allowed_folders_is_refused_whether_it_is_there_or_not(
    home: Home, web: httpx.Client, tmp_path: Path
) -> None:
    outside = clip_of(tmp_path / "other.mkv", {20: ANN})
    link = home.root / "clips/link.mkv"
    link.symlink_to(outside)
    said = set()
    for path in (outside, tmp_path / "missing.mkv", link, f"{clip(home, '..')}/vault/state.db", "ann.mkv"):
        reply = web.post("/v1/ask", json={"question": "Is Ann here?", "clip": str(path)})
        assert reply.status_code == 403
        said.add(reply.text)
    assert len(said) == 1
    reply = web.post("/v1/ask", json={"question": "Is Ann here?", "clip": clip(home, "missing.mkv")})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "usage")


def test_people_are_listed_by_the_names_that_can_be_asked_about(web: httpx.Client) -> None:
    people = web.get("/v1/people").json()["people"]
    assert [(one["name"], one["release"], one["active"]) for one in people] == [
        ("Ann", 1, True),
        ("Ben", 1, True),
    ]


def test_neither_metrics_nor_log_hold_a_name_or_a_question(home: Home, web: httpx.Client) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.setFormatter(JsonLines())
    handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
    logger = logging.getLogger("runtime.http")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        web.post("/v1/ask", json={"question": "Is Ben here?", "clip": clip(home)})
        web.post("/v1/ask", json={"question": "Is Anne here?", "clip": clip(home)})
        web.get("/v1/people/Ann")
        until(lambda: len(lines) == 3)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    text = web.get("/metrics").text
    ids = [one["subject_id"] for one in web.get("/v1/people").json()["people"]]
    for word in ("Ann", "Ben", "Anne", "ann.mkv", *ids):
        assert word not in text and not any(word in line for line in lines)
    told = [json.loads(line) for line in lines]
    assert [(one["route"], one["status"]) for one in told] == [
        ("/v1/ask", 200),
        ("/v1/ask", 400),
        ("other", 404),
    ]
    assert told[0]["verdict"] == "no" and told[1]["error"] == "usage"


def test_metrics_count_what_was_asked(home: Home) -> None:
    with served(home) as client:
        client.post("/v1/ask", json={"question": "Is Ann here?", "clip": clip(home)})
        client.post("/v1/ask", json={"question": "Is Ann here?"})
        samples = dict(
            line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if line[0] != "#"
        )
    assert samples['pvchat_questions_total{kind="verdict",verdict="yes"}'] == "1"
    assert samples['pvchat_questions_total{kind="verdict",verdict="unavailable"}'] == "1"
    assert samples["pvchat_unavailable_total"] == "1"
    assert (
        samples["pvchat_question_seconds_count"]
        == samples['pvchat_question_seconds_bucket{le="+Inf"}']
        == "2"
    )
    assert samples['pvchat_http_requests_total{route="/v1/ask",status="200"}'] == "2"
    assert samples["pvchat_runtime_up"] == "1"


def test_ready_follows_the_runtime_and_health_does_not(home: Home, web: httpx.Client) -> None:
    ready = web.get("/readyz")
    assert (ready.status_code, ready.json()["bundle"]) == (200, home.installed_bundle())
    with Client(home.runtime_endpoint) as client:
        pid = wait_until_ready(client, 5000).pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: web.get("/readyz").status_code != 200)
    down = web.get("/readyz")
    assert (down.status_code, down.headers["retry-after"]) == (503, "2")
    assert "pvchat_runtime_up 0" in web.get("/metrics").text
    assert web.get("/healthz").status_code == 200
    said = web.post(
        "/v1/ask", json={"question": "Is Ann here?", "clip": clip(home)}
    ).json()  # starts it again
    assert said["verdict"] == "yes"
    assert web.get("/readyz").status_code == 200
