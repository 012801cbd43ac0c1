"""Claims about calls between processes: real sockets, real threads, a real second process to kill."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import zmq

from runtime.address import socket_path
from runtime.client import Client, wait_until_ready
from runtime.contract.dialogue import Answer, Intent
from runtime.contract.errors import (
    AdapterError,
    BusyError,
    ConfigError,
    DeadlineError,
    PvchatError,
    UnavailableError,
    WireError,
)
from runtime.contract.serving import ClipSource, Deadline
from runtime.router import Handler, Server
from runtime.stats import ServerStats
from runtime.wire import (
    AnswerReply,
    Ask,
    DaemonAsk,
    DaemonStop,
    Done,
    Health,
    HealthReply,
    Hello,
    Reply,
    Request,
    decode_reply,
    encode_request,
)
from tests.fakes.served import served

ROOT = Path(__file__).parents[2]


@pytest.fixture
def endpoint() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pvc") as folder:
        yield f"ipc://{folder}/s.sock"


def echo(request: Request, deadline: Deadline) -> Reply:
    if isinstance(request, DaemonAsk):
        return AnswerReply(answer=Answer("description", request.text, None, None, 0.9))
    return Done()


def serving(endpoint: str, handler: Handler = echo, **options: Any) -> AbstractContextManager[Server]:
    return served(endpoint, handler, **options)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


class Gate:
    """A handler that holds every question until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.seen: list[str] = []

    def __call__(self, request: Request, deadline: Deadline) -> Reply:
        if isinstance(request, DaemonAsk):
            self.seen.append(request.text)
            self.entered.release()
            assert self.open.wait(20)
        return echo(request, deadline)


def test_fifty_clients_in_parallel_get_their_own_answers(endpoint: str) -> None:
    def ask(number: int) -> list[str]:
        texts = []
        with Client(endpoint) as client:
            for turn in range(4):
                reply = client.call(DaemonAsk(text=f"{number}/{turn}"), 20_000)
                assert isinstance(reply, AnswerReply)
                texts.append(reply.answer.text)
        return texts

    with serving(endpoint, threads=4, queue_size=64), ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert answers == [[f"{number}/{turn}" for turn in range(4)] for number in range(50)]


def test_one_client_serves_many_threads(endpoint: str) -> None:
    with serving(endpoint, queue_size=64), Client(endpoint) as client, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: client.call(DaemonAsk(text=str(n)), 20_000), range(40)))
    texts = [reply.answer.text for reply in replies if isinstance(reply, AnswerReply)]
    assert texts == [str(n) for n in range(40)]


def test_error_of_the_handler_is_raised_as_the_same_class(endpoint: str) -> None:
    def refuse(request: Request, deadline: Deadline) -> Reply:
        raise AdapterError("adapter of s1 is damaged.", "Enrol again.")

    with serving(endpoint, refuse), Client(endpoint) as client, pytest.raises(AdapterError) as caught:
        client.call(Hello(), 5000)
    assert (caught.value.message, caught.value.next_step) == ("adapter of s1 is damaged.", "Enrol again.")


def test_bug_in_the_handler_is_an_error_that_tells_no_values(
    endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: Request, deadline: Deadline) -> Reply:
        raise KeyError("Grandma")

    with (
        caplog.at_level(logging.DEBUG),
        serving(endpoint, broken),
        Client(endpoint) as client,
        pytest.raises(PvchatError) as caught,
    ):
        client.call(Hello(), 5000)
    assert type(caught.value) is PvchatError
    assert "internal error in Hello (KeyError)" in str(caught.value)
    assert "KeyError in Hello" in caplog.text
    assert "test_client_server.py" in caplog.text
    assert "'Grandma'" not in caplog.text.replace('raise KeyError("Grandma")', "")
    assert "Grandma" not in str(caught.value)


def test_reply_that_is_too_large_is_an_error(endpoint: str) -> None:
    def shout(request: Request, deadline: Deadline) -> Reply:
        return AnswerReply(answer=Answer("description", "x" * (1 << 20), None, None, 0.9))

    with serving(endpoint, shout), Client(endpoint) as client, pytest.raises(WireError, match="1048576"):
        client.call(Hello(), 5000)


def test_full_queue_is_busy_at_once_and_health_still_answers(endpoint: str) -> None:
    gate = Gate()
    with (
        serving(endpoint, gate, queue_size=2) as server,
        Client(endpoint) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        waiting = [pool.submit(client.call, DaemonAsk(text="0"), 20_000)]
        assert gate.entered.acquire(timeout=10)
        waiting += [pool.submit(client.call, DaemonAsk(text=str(n)), 20_000) for n in (1, 2)]
        until(lambda: server.stats.waiting == 2)
        start_s = time.monotonic()
        with pytest.raises(BusyError, match="2 requests are waiting"):
            client.call(DaemonAsk(text="late"), 20_000)
        assert client.call(Health(), 20_000) == Done()
        assert time.monotonic() - start_s < 2
        gate.open.set()
        assert all(isinstance(call.result(20), AnswerReply) for call in waiting)
    assert server.stats.counts()["refused"] == 1


def test_work_whose_deadline_passed_in_the_queue_is_dropped(endpoint: str) -> None:
    gate, stats = Gate(), ServerStats()
    with (
        serving(endpoint, gate, stats=stats),
        Client(endpoint) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.call, DaemonAsk(text="first"), 20_000)
        assert gate.entered.acquire(timeout=10)
        with pytest.raises(DeadlineError):
            client.call(DaemonAsk(text="impatient"), 100)
        time.sleep(0.3)  # the server counts from arrival
        gate.open.set()
        first.result(20)
        client.call(DaemonAsk(text="last"), 10_000)
    assert gate.seen == ["first", "last"]
    assert stats.counts()["expired"] == 1


def test_handler_is_told_the_time_that_is_left(endpoint: str) -> None:
    left_s: list[float] = []

    def measure(request: Request, deadline: Deadline) -> Reply:
        left_s.append(deadline())
        return Done()

    with serving(endpoint, measure), Client(endpoint) as client:
        client.call(Hello(), 8000)
    assert 5 < left_s[0] <= 8


def test_nobody_listening_is_told_at_once_with_the_next_step(endpoint: str) -> None:
    start_s = time.monotonic()
    with Client(endpoint) as client, pytest.raises(UnavailableError, match="pvchat-edge daemon"):
        client.call(Hello(), 30_000)
    assert time.monotonic() - start_s < 2


def test_socket_that_a_dead_server_left_is_told_at_once_and_taken_over(endpoint: str) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path(endpoint)))
        dead.listen()
    with Client(endpoint) as client:
        with pytest.raises(UnavailableError, match="nobody listens"):
            client.call(Hello(), 30_000)
        with serving(endpoint):
            assert client.call(Hello(), 5000) == Done()


_HOLDS_FOREVER = """
import sys, threading
from runtime.router import Server
def handler(request, deadline):
    print("got it", flush=True)
    threading.Event().wait()
with Server(sys.argv[1], handler) as server:
    print("ready", flush=True)
    server.serve()
"""


def test_killed_server_is_a_deadline_error_in_time_and_the_address_is_free_again(endpoint: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_FOREVER, endpoint], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process, Client(endpoint) as client, ThreadPoolExecutor(1) as pool:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        start_s = time.monotonic()
        call = pool.submit(client.call, DaemonAsk(text="?"), 1500)
        assert process.stdout.readline() == "got it\n"
        process.send_signal(signal.SIGKILL)
        with pytest.raises(DeadlineError, match="within 1500 ms"):
            call.result(20)
        assert time.monotonic() - start_s < 1.5 + 0.2
        assert process.wait(10) == -signal.SIGKILL
        with pytest.raises(UnavailableError, match="nobody listens"):
            client.call(Hello(), 1000)
        with serving(endpoint):
            assert client.call(Hello(), 5000) == Done()


def test_second_server_on_the_same_address_is_refused_and_the_first_goes_on(endpoint: str) -> None:
    with serving(endpoint), Client(endpoint) as client:
        with pytest.raises(UnavailableError, match="another process already listens"):
            Server(endpoint, echo).start()
        assert client.call(Hello(), 5000) == Done()


def test_socket_and_folder_are_private(endpoint: str) -> None:
    path = socket_path(endpoint.replace("/s.sock", "/run/s.sock"))
    with serving(f"ipc://{path}"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


def test_folder_that_others_may_enter_is_refused(endpoint: str) -> None:
    folder = socket_path(endpoint).parent / "open"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        Server(f"ipc://{folder}/s.sock", echo).start()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("tcp://127.0.0.1:5555", "needs keys"),
        ("inproc://x", "not local"),
        ("ipc://relative.sock", "absolute"),
        ("ipc://*", "absolute"),
        ("ipc://@abstract", "absolute"),
        ("ipc:///" + "x" * 107, "108 bytes; sockets allow 107"),
        ("ipc:///" + "é" * 54, "109 bytes"),
    ],
)
def test_endpoint_that_is_not_a_short_local_path_is_refused_on_both_sides(bad: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Client(bad)
    with pytest.raises(ConfigError, match=message):
        Server(bad, echo).start()


def test_longest_allowed_path_works(endpoint: str) -> None:
    folder = endpoint.removesuffix("s.sock")
    longest = folder + "x" * (107 - len(folder.removeprefix("ipc://")))
    with serving(longest), Client(longest) as client:
        assert client.call(Hello(), 5000) == Done()


def test_stop_lets_begun_work_end_and_refuses_what_waits(endpoint: str) -> None:
    gate = Gate()
    with serving(endpoint, gate) as server, Client(endpoint) as client, ThreadPoolExecutor(2) as pool:
        begun = pool.submit(client.call, DaemonAsk(text="begun"), 20_000)
        assert gate.entered.acquire(timeout=10)
        waits = pool.submit(client.call, DaemonAsk(text="waits"), 20_000)
        until(lambda: server.stats.waiting == 1)
        server.stop()
        with pytest.raises(UnavailableError, match="stopping"):
            waits.result(20)
        gate.open.set()
        assert isinstance(begun.result(20), AnswerReply)


def test_request_to_stop_is_answered_before_the_server_ends(endpoint: str) -> None:
    for _ in range(20):
        started: list[Server] = []

        def stop(request: Request, deadline: Deadline, started: list[Server] = started) -> Reply:
            started[0].stop()
            return Done()

        with serving(endpoint, stop) as server, Client(endpoint) as client:
            started.append(server)
            assert client.call(DaemonStop(), 5000) == Done()


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"", b"", b""],
        [b"\x02" + b"x" * 40],
        [b"\x01" + b"i" * 16 + b"\0\0\1\0" + b"\xc1"],
        [b"x"] * 300,
        [b"\x01" * (1 << 20)] * 2,
    ],
    ids=["empty", "three empty", "version 2", "garbage body", "300 parts", "two MiB"],
)
def test_hostile_messages_leave_the_server_serving(endpoint: str, parts: list[bytes]) -> None:
    with (
        serving(endpoint),
        Client(endpoint) as client,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as dealer,
    ):
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(endpoint)
        for _ in range(50):
            dealer.send_multipart(parts)
        assert client.call(Hello(), 5000) == Done()


def test_unreadable_body_is_answered_with_the_right_id(endpoint: str) -> None:
    with serving(endpoint), zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(endpoint)
        dealer.send(b"\x01" + b"i" * 16 + b"\0\0\1\0" + b"\xc1")
        assert dealer.poll(5000)
        envelope, reply = decode_reply(dealer.recv())
    assert envelope.request_id == b"i" * 16
    assert "code='wire'" in repr(reply)


def test_client_that_leaves_without_its_reply_harms_nobody(endpoint: str) -> None:
    gate = Gate()
    with serving(endpoint, gate), Client(endpoint) as client:
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.connect(endpoint)
            dealer.send(encode_request(DaemonAsk(text="gone"), os.urandom(16), 20_000))
            assert gate.entered.acquire(timeout=10)
        gate.open.set()
        assert isinstance(client.call(DaemonAsk(text="here"), 10_000), AnswerReply)


def test_late_reply_is_never_taken_for_the_next_call(endpoint: str) -> None:
    def slow_first(request: Request, deadline: Deadline) -> Reply:
        if isinstance(request, DaemonAsk) and request.text == "slow":
            time.sleep(0.4)
        return echo(request, deadline)

    with serving(endpoint, slow_first), Client(endpoint) as client:
        with pytest.raises(DeadlineError):
            client.call(DaemonAsk(text="slow"), 100)
        reply = client.call(DaemonAsk(text="next"), 10_000)
    assert isinstance(reply, AnswerReply)
    assert reply.answer.text == "next"


def test_waiting_for_a_process_that_ended_stops_at_once(endpoint: str) -> None:
    start_s = time.monotonic()
    with Client(endpoint) as client, pytest.raises(UnavailableError, match="ended while starting"):
        wait_until_ready(client, 30_000, alive=lambda: False)
    assert time.monotonic() - start_s < 2


def test_something_else_than_a_runtime_is_not_ready(endpoint: str) -> None:
    with serving(endpoint), Client(endpoint) as client, pytest.raises(WireError, match="no runtime"):
        wait_until_ready(client, 5000)


def test_counters_say_what_happened(endpoint: str) -> None:
    stats = ServerStats()

    def count(request: Request, deadline: Deadline) -> Reply:
        if isinstance(request, Ask):
            raise BusyError("no.")
        return HealthReply(bundle_id="", uptime_s=stats.uptime_s, queue=0, rss_mib=0.0, **stats.counts())

    with serving(endpoint, count, stats=stats), Client(endpoint) as client:
        client.call(Hello(), 5000)
        with pytest.raises(BusyError):
            client.call(Ask(intent=Intent("who"), clip=ClipSource(Path("/a"))), 5000)
        health = client.call(Health(), 5000)
    assert isinstance(health, HealthReply)
    assert (health.served, health.failed, health.expired, health.refused) == (1, 1, 0, 0)
