"""Claims about who may ask over HTTP, how much, and how the server starts and ends; without a model."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import httpx
import msgspec
import numpy as np
import pytest

from device.config import load_config
from device.http_home import HttpHome
from device.paths import Home
from runtime.contract.dialogue import Answer, CameraReport, Evidence
from runtime.contract.errors import BusyError, ConfigError, ContentError
from runtime.contract.serving import Deadline
from runtime.http.access import open_gate
from runtime.http.bodies import MAX_BODY_BYTES
from runtime.http.house import Listed
from runtime.http.openapi import document
from runtime.http.pictures import MAX_PIXELS
from runtime.http.settings import HttpConfig
from runtime.logs import JsonLines
from runtime.router import Server
from runtime.wire import AnswerReply, Ask, DaemonAsk, Reply, Request
from tests.device.command_line import command, environment, run_json
from tests.device.fake_runtime import FakeRuntime, serving, short_home
from tests.device.http_world import chat, data_url, served, until

TOKEN = "0123456789abcdef" * 2
PICTURE = data_url(np.full((48, 64, 3), 90, np.uint8))


@dataclass
class Scripted:
    """What the runtime does with questions instead of answering at once."""

    error: Exception | None = None
    hold: threading.Event | None = None
    left_s: float = 0.0
    answer: Answer | None = None


@pytest.fixture(scope="module")
def scripted() -> Iterator[tuple[Scripted, Home]]:
    script = Scripted()
    plain = FakeRuntime.__call__

    def call(self: FakeRuntime, request: Request, deadline: Deadline) -> Reply:
        if isinstance(request, Ask):
            script.left_s = deadline()
            if script.error is not None:
                raise script.error
            if script.hold is not None:
                script.hold.wait(20)
            if script.answer is not None:
                return AnswerReply(answer=script.answer)
        return plain(self, request, deadline)

    with pytest.MonkeyPatch.context() as patch, short_home() as made:
        patch.setattr(FakeRuntime, "__call__", call)
        with serving(made):
            yield script, made


@pytest.fixture
def script(scripted: tuple[Scripted, Home]) -> Iterator[Scripted]:
    script, _ = scripted
    yield script
    script.error, script.hold, script.left_s, script.answer = None, None, 0.0, None


@pytest.fixture(scope="module")
def home(scripted: tuple[Scripted, Home]) -> Home:
    return scripted[1]


@pytest.fixture(scope="module")
def web(home: Home) -> Iterator[httpx.Client]:
    with served(home) as client:
        yield client


def count(client: httpx.Client, name: str) -> int:
    """One counter of the metrics."""
    lines = client.get("/metrics").text.splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == f"pvchat_{name}_total")


def who(client: httpx.Client, url: str = PICTURE, **more: Any) -> httpx.Response:
    return client.post("/v1/chat/completions", json=chat("Who is here?", url, **more))


def token_file(folder: Path, text: str = TOKEN, mode: int = 0o600) -> Path:
    path = folder / "http.token"
    path.write_text(text + "\n", encoding="ascii")
    path.chmod(mode)
    return path


def test_a_full_queue_of_the_runtime_is_503_with_the_time_to_wait(
    script: Scripted, web: httpx.Client
) -> None:
    script.error = BusyError("16 requests are waiting already.", "Ask again in a moment.")
    before = count(web, "busy")
    reply = who(web)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
    assert reply.json()["error"] == {
        "code": "busy", "message": "16 requests are waiting already.", "next_step": "Ask again in a moment.",
    }  # fmt: skip
    assert count(web, "busy") == before + 1


def test_one_question_more_than_may_wait_is_503_and_the_others_are_answered(
    script: Scripted, home: Home
) -> None:
    script.hold = threading.Event()
    statuses: list[int] = []
    with served(home, HttpConfig(max_waiting=1)) as client:
        first = threading.Thread(target=lambda: statuses.append(who(client).status_code))
        first.start()
        until(lambda: script.left_s > 0)
        assert who(client).status_code == 503
        assert client.get("/healthz").status_code == 200
        script.hold.set()
        first.join(20)
        assert statuses == [200]
        assert who(client).status_code == 200


def test_the_deadline_travels_and_a_late_answer_is_unavailable(script: Scripted, web: httpx.Client) -> None:
    assert who(web, timeout_ms=4000).status_code == 200
    assert 1 < script.left_s <= 4
    before = count(web, "expired")
    script.hold = threading.Event()
    reply = who(web, timeout_ms=300)
    script.hold.set()
    said = reply.json()["pvchat"]
    assert (reply.status_code, said["verdict"], said["exit_code"]) == (200, "unavailable", 4)
    assert re.search(r"within \d+ ms", said["reason"])
    assert count(web, "expired") == before + 1


def test_a_question_without_a_clip_goes_to_the_daemon_with_its_conversation(
    home: Home, web: httpx.Client
) -> None:
    asked: list[tuple[Request, float]] = []

    def daemon(request: Request, deadline: Deadline) -> Reply:
        asked.append((request, deadline()))
        cameras = (CameraReport("hall", "hall", "down", None),)
        answer = Answer("verdict", "I cannot tell.", "unavailable", None, 0.9, cameras=cameras)
        return AnswerReply(answer=answer, conversation="c2")

    with Server(home.daemon_endpoint, daemon, grace_s=1.0) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        body = {"question": "Is she there?", "conversation": "c1", "timeout_ms": 5000}
        said = web.post("/v1/ask", json=body).json()
        chatted = web.post("/v1/chat/completions", json=chat("Is she there?", conversation="c1")).json()[
            "pvchat"
        ]
        server.stop()
        thread.join(10)
    assert (said["verdict"], said["conversation"], said["cameras"][0]["state"]) == (
        "unavailable",
        "c2",
        "down",
    )
    assert chatted == {**said, "note": ""}
    assert [request for request, _ in asked] == [DaemonAsk(text="Is she there?", conversation="c1")] * 2
    assert 1 < asked[0][1] <= 5


def test_a_bug_behind_the_socket_is_500_and_tells_no_value(script: Scripted, web: httpx.Client) -> None:
    script.error = RuntimeError("Grandma")
    reply = who(web)
    assert reply.status_code == 500
    assert "Grandma" not in reply.text and reply.json()["error"]["code"] == "error"


def test_a_bug_of_the_server_is_500_and_neither_reply_nor_log_tells_a_value(
    web: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: HttpHome) -> tuple[Listed, ...]:
        raise RuntimeError(name)

    name = "Grand" + "ma"  # a trace shows lines of code
    monkeypatch.setattr(HttpHome, "people", broken)
    reply = web.get("/v1/people")
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "error")
    until(lambda: any(record.name == "runtime.http.front" for record in caplog.records))
    lines = [JsonLines().format(record) for record in caplog.records]
    assert any("RuntimeError" in line and "test_http_guard" in line for line in lines)
    assert not any(name in text for text in (reply.text, caplog.text, *lines))


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "/e/1.jpg"), ("0.0.0.0", "")])  # noqa: S104
def test_places_on_the_box_are_told_on_the_box_alone(
    script: Scripted, home: Home, tmp_path: Path, host: str, shown: str
) -> None:
    proof = Evidence("picture", 0.0, (1, 2, 3, 4), "ab", None, "/e/1.jpg")
    script.answer = Answer("verdict", "Yes.", "yes", 0.97, 0.9, evidence=(proof,))
    config = HttpConfig(host=host, token_file=str(token_file(tmp_path)))
    with served(home, config, authorization=f"Bearer {TOKEN}") as client:
        assert who(client).json()["pvchat"]["evidence"][0]["image"] == shown
        cameras = client.post("/v1/ask", json={"question": "Who is here?"}).json()
        assert cameras["verdict"] == "unavailable"
        assert (str(home.root) in cameras["reason"]) == bool(shown)
        script.error = ContentError(f"{home.root}/x.mkv is empty.", f"Look into {home.root}.")
        assert (str(home.root) in who(client).text) == bool(shown)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_four_mebibytes_is_413(web: httpx.Client, chunked: bool) -> None:
    raw = json.dumps(chat("x" * MAX_BODY_BYTES)).encode()
    content = iter([raw[: MAX_BODY_BYTES // 2], raw[MAX_BODY_BYTES // 2 :]]) if chunked else raw
    reply = web.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "usage")


def _bomb() -> str:
    done, raw = cv2.imencode(".png", np.zeros((4001, 4001), np.uint8))
    assert done and MAX_PIXELS < 4001 * 4001 and len(raw) < 200_000
    return "data:image/png;base64," + base64.b64encode(raw.tobytes()).decode()


@pytest.mark.parametrize(
    ("urls", "code", "words"),
    [
        (["http://127.0.0.1:9/cat.png"], "usage", "no address is ever fetched"),
        (["file:///etc/passwd"], "usage", "data: URL"),
        ([PICTURE] * 5, "usage", "at most 4"),
        ([_bomb()], "content", "4001x4001 pixels, at most"),
        ([data_url(np.zeros((8, 8, 3), np.uint8))], "content", "too few"),
        ([data_url(np.zeros((48, 64, 3), np.uint8), "jpeg")[:-8]], "content", "no whole JPEG or PNG"),
        ([PICTURE[:-40] + "!" * 40], "content", "base64"),
        (["data:image/gif;base64,R0lGODlhAQABAAAAACw="], "usage", "JPEG or PNG"),
        ([PICTURE, data_url(np.zeros((64, 64, 3), np.uint8))], "content", "different sizes"),
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_used_is_a_bad_request(
    web: httpx.Client, home: Home, urls: list[str], code: str, words: str
) -> None:
    reply = web.post("/v1/chat/completions", json=chat("Who is here?", *urls))
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (400, code)
    assert words in error["message"] and error["next_step"]
    assert list(home.incoming.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        {"messages": [{"role": "assistant", "content": "Who is here?"}]},
        {"messages": [{"role": "user", "content": ""}]},
        {**chat("Who is here?", PICTURE), "clip": "/clip.mkv"},
        {"messages": [*chat("Who is here?", PICTURE)["messages"], *chat("And now?")["messages"]]},
    ],
)
def test_a_chat_that_asks_nothing_clear_is_a_bad_request(web: httpx.Client, body: dict[str, Any]) -> None:
    reply = web.post("/v1/chat/completions", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "usage")


def test_what_a_strange_web_page_can_send_is_not_answered(web: httpx.Client) -> None:
    body = json.dumps({"question": "Who is here?"})
    form = web.post("/v1/ask", content=body, headers={"content-type": "text/plain"})
    assert (form.status_code, form.json()["error"]["code"]) == (400, "usage")
    rebound = web.get("/v1/people", headers={"host": "evil.example:7780"})
    assert (rebound.status_code, rebound.json()["error"]["code"]) == (403, "access")
    assert "access-control-allow-origin" not in web.get("/v1/people").headers


def test_with_a_token_every_question_needs_it(home: Home, tmp_path: Path) -> None:
    config = HttpConfig(token_file=str(token_file(tmp_path)))
    with served(home, config) as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            for path in ("/v1/people", "/metrics", "/openapi.json", "/nowhere"):
                reply = client.get(path, headers=headers)
                assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
                assert TOKEN not in reply.text
        assert client.get("/readyz").status_code == client.get("/healthz").status_code == 200
        allowed = client.get("/v1/people", headers={"authorization": f"Bearer {TOKEN}", "host": "box.lan"})
        assert allowed.json() == {"people": []}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "box.lan", "::"])  # noqa: S104 - to be refused
def test_another_address_without_a_token_is_refused_with_the_next_step(host: str) -> None:
    with pytest.raises(ConfigError, match="can be reached from other machines") as refused:
        open_gate(HttpConfig(host=host))
    assert "openssl rand" in refused.value.next_step and "token_file" in refused.value.next_step


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [(TOKEN, 0o640, "read by others"), ("short", 0o600, "no token"), ("", 0o600, "no token")],
)
def test_a_token_that_is_not_safe_is_refused(tmp_path: Path, text: str, mode: int, words: str) -> None:
    path = token_file(tmp_path, text, mode)
    with pytest.raises(ConfigError, match=words):
        open_gate(HttpConfig(token_file=str(path)))
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(ConfigError, match="cannot read the token"):
        open_gate(HttpConfig(token_file=str(link)))


def test_the_openapi_document_has_every_route_and_no_loose_end(web: httpx.Client) -> None:
    said = web.get("/openapi.json").json()
    assert said == json.loads(json.dumps(document())) and said["openapi"].startswith("3.1.")
    routes = [(path, method) for path, methods in said["paths"].items() for method in methods]
    for path, method in routes:
        assert web.request(method, path).status_code not in (404, 405)
    assert web.get("/v1/ask").status_code == 405
    refs = {piece.split('"')[0] for piece in json.dumps(said).split('"#/components/schemas/')[1:]}
    assert refs and refs <= set(said["components"]["schemas"])
    names = [said["paths"][path][method]["operationId"] for path, method in routes]
    assert len(set(names)) == len(names) == len(routes)
    answer = who(web).json()["pvchat"]
    properties = said["components"]["schemas"]["Answer"]["properties"]
    assert set(answer) - set(properties) == {"question", "conversation", "exit_code", "note"}
    assert msgspec.convert({key: answer[key] for key in properties}, Answer).verdict == "yes"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_listens_logs_json_and_ends_cleanly(home: Home, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command("serve-http", "--port", "0", "--json"),
        env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None and process.stderr is not None
            address = json.loads(process.stdout.readline())["listening"]
            assert httpx.get(f"{address}/readyz", trust_env=False).status_code == 200
            process.send_signal(number)
            assert process.wait(10) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
    lines = [json.loads(line) for line in (home.logs / "http.log").read_text(encoding="utf-8").splitlines()]
    assert ("/readyz", 200) in [(line.get("route"), line.get("status")) for line in lines]
    assert (home.logs / "http.log").stat().st_mode & 0o077 == 0


def test_the_command_refuses_another_address_without_a_token() -> None:
    with short_home() as home:
        code, said = run_json(home, "serve-http", "--host", "192.0.2.1")
    assert code == 2
    assert said["error"]["code"] == "config" and "openssl rand" in said["error"]["next_step"]


def test_paths_of_the_settings_are_meant_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_text('[http]\ntoken_file = "t"\nclip_folders = ["clips", "/srv/clips"]\n', encoding="utf-8")
    http = load_config(path).http
    assert http.token_file == str(tmp_path / "t")
    assert http.clip_folders == (str(tmp_path / "clips"), "/srv/clips")
