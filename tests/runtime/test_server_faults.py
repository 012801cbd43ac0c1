"""Claims about a server in trouble: no memory, work that is overdue, clients that die or fall silent."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq

from runtime.client import Client
from runtime.contract.errors import DeadlineError, UnavailableError
from runtime.contract.serving import Deadline
from runtime.keys import AllowList, ServerKeys, ensure_key
from runtime.stats import ServerStats
from runtime.wire import (
    NO_REQUEST,
    DaemonAsk,
    Done,
    ErrorReply,
    Hello,
    Reply,
    Request,
    decode_reply,
    encode_request,
)
from tests.fakes.network import free_endpoint
from tests.fakes.served import served

ROOT = Path(__file__).parents[2]
_MANY = 40


@pytest.fixture
def endpoint() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pvc") as folder:
        yield f"ipc://{folder}/s.sock"


def done(request: Request, deadline: Deadline) -> Reply:
    return Done()


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for something that another thread or process does."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def open_files() -> int:
    """Of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_request_that_the_memory_is_not_enough_for_is_unavailable_and_the_next_is_served(
    endpoint: str,
) -> None:
    def greedy(request: Request, deadline: Deadline) -> Reply:
        if isinstance(request, DaemonAsk):
            bytearray(1 << 62)
        return Done()

    with served(endpoint, greedy), Client(endpoint) as client:
        with pytest.raises(UnavailableError, match="memory is not enough for DaemonAsk"):
            client.call(DaemonAsk(text="?"), 5000)
        assert client.call(Hello(), 5000) == Done()


def test_a_request_past_its_deadline_is_overdue_until_it_ends(endpoint: str) -> None:
    stats, entered, go_on = ServerStats(), threading.Event(), threading.Event()

    def slow(request: Request, deadline: Deadline) -> Reply:
        entered.set()
        assert go_on.wait(60)
        return Done()

    with served(endpoint, slow, stats=stats), Client(endpoint) as client, ThreadPoolExecutor(1) as pool:
        assert stats.overdue_s() == 0.0
        call = pool.submit(client.call, DaemonAsk(text="?"), 500)
        assert entered.wait(30)
        with pytest.raises(DeadlineError):
            call.result(30)
        until(lambda: stats.overdue_s() > 0.1)
        go_on.set()
        until(lambda: stats.overdue_s() == 0.0)


_MANY_CLIENTS = """
import os, sys, zmq
from runtime.wire import DaemonAsk, encode_request
context = zmq.Context()
dealers = [context.socket(zmq.DEALER) for _ in range(int(sys.argv[2]))]
for dealer in dealers:
    dealer.connect(sys.argv[1])
    dealer.send(encode_request(DaemonAsk(text="?"), os.urandom(16), 60_000))
for dealer in dealers:
    dealer.recv()
print("served", flush=True)
sys.stdin.read()
"""


def test_clients_that_are_killed_are_forgotten(endpoint: str) -> None:
    with served(endpoint, done, queue_size=_MANY):
        before = open_files()
        with subprocess.Popen(
            [sys.executable, "-c", _MANY_CLIENTS, endpoint, str(_MANY)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == b"served\n"
            assert open_files() >= before + _MANY
            process.kill()
        until(lambda: open_files() <= before)


_SILENT_CLIENT = """
import sys, zmq
from pathlib import Path
from runtime.client import Client
from runtime.keys import ClientKeys, ensure_key
from runtime.wire import Hello, encode_request
keys = ClientKeys(ensure_key(Path(sys.argv[2])), sys.argv[3])
with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
    dealer.curve_serverkey = keys.server.encode()
    dealer.curve_publickey, dealer.curve_secretkey = keys.pair.public.encode(), keys.pair.secret.encode()
    dealer.connect(sys.argv[1])
    dealer.send(encode_request(Hello(), b"i" * 16, 60_000))
    dealer.recv()
    print("served", flush=True)
    sys.stdin.read()
"""


def test_a_client_of_the_network_that_falls_silent_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody closes the connection of a machine that lost its power."""
    monkeypatch.setattr("runtime.router._SILENCE_MS", 200)
    monkeypatch.setattr("runtime.router._FORGET_MS", 2_000)
    keys = ServerKeys(ensure_key(tmp_path / "box.json"), AllowList(tmp_path / "allowed.json"))
    keys.allowed.allow("tablet", ensure_key(tmp_path / "tablet.json").public)
    with served(free_endpoint(), done, keys=keys) as server:
        before = open_files()
        with subprocess.Popen(
            [sys.executable, "-c", _SILENT_CLIENT, server.endpoint, str(tmp_path / "tablet.json"),
             keys.pair.public],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == b"served\n"
            connected = open_files()
            assert connected > before
            process.send_signal(signal.SIGSTOP)
            until(lambda: open_files() < connected)
            process.kill()


def test_a_program_of_another_version_is_told_at_once_which_one_is_spoken(endpoint: str) -> None:
    stats = ServerStats()
    with (
        served(endpoint, done, stats=stats),
        zmq.Context() as context,
        context.socket(zmq.DEALER) as dealer,
    ):
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(endpoint)
        dealer.send(b"\x02" + encode_request(Hello(), b"i" * 16, 60_000)[1:])
        assert dealer.poll(30_000)
        envelope, reply = decode_reply(dealer.recv())
    assert envelope.request_id == NO_REQUEST
    assert isinstance(reply, ErrorReply)
    assert "version 2, this program speaks 1" in reply.message
    assert stats.counts()["refused"] == 1
