"""Claims about the client for event loops: the same server, the same errors, real sockets."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from runtime.async_client import AsyncClient
from runtime.client import Client
from runtime.contract.dialogue import Answer
from runtime.contract.errors import (
    AccessError,
    ConfigError,
    DeadlineError,
    PvchatError,
    UnavailableError,
    UsageError,
    WireError,
)
from runtime.contract.serving import Deadline
from runtime.keys import AllowList, ClientKeys, ServerKeys, ensure_key
from runtime.router import Handler, Server
from runtime.wire import AnswerReply, DaemonAsk, Done, Health, Hello, Ready, Reply, Request
from tests.fakes.network import free_endpoint
from tests.fakes.served import served

READY = Ready(bundle_id="b", base="f" * 64, pid=1, shapes={}, window_frames=8, window_fps=4.0, accept=0.9)


@pytest.fixture
def endpoint() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pvc") as folder:
        yield f"ipc://{folder}/s.sock"


def echo(request: Request, deadline: Deadline) -> Reply:
    if isinstance(request, DaemonAsk):
        if request.text == "slow":
            time.sleep(0.4)
        if request.text == "wrong":
            raise UsageError("that is wrong.", "Do it right.")
        return AnswerReply(answer=Answer("description", request.text, None, None, 0.9))
    return READY if isinstance(request, Hello) else Done()


def serving(endpoint: str, handler: Handler = echo, **options: Any) -> AbstractContextManager[Server]:
    return served(endpoint, handler, **options)


def test_tasks_that_share_a_client_get_their_own_answers(endpoint: str) -> None:
    async def ask(client: AsyncClient, text: str) -> str:
        reply = await client.call(DaemonAsk(text=text), 20_000)
        assert isinstance(reply, AnswerReply)
        return reply.answer.text

    async def all_of_them() -> list[str]:
        async with AsyncClient(endpoint) as client:
            return await asyncio.gather(*(ask(client, str(number)) for number in range(20)))

    with serving(endpoint, threads=4, queue_size=64):
        assert asyncio.run(all_of_them()) == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("text", "timeout_ms", "error"),
    [("wrong", 5000, UsageError), ("slow", 50, DeadlineError), ("late", 0, WireError)],
)
def test_both_clients_raise_the_same_error_for_the_same_call(
    endpoint: str, text: str, timeout_ms: int, error: type[PvchatError]
) -> None:
    async def ask() -> Reply:
        async with AsyncClient(endpoint) as client:
            return await client.call(DaemonAsk(text=text), timeout_ms)

    with serving(endpoint, threads=2):
        with pytest.raises(error) as awaited:
            asyncio.run(ask())
        with pytest.raises(error) as waited, Client(endpoint) as client:
            client.call(DaemonAsk(text=text), timeout_ms)
    assert (type(awaited.value), str(awaited.value)) == (type(waited.value), str(waited.value))


def test_nobody_listening_is_told_at_once(endpoint: str) -> None:
    async def ask() -> None:
        async with AsyncClient(endpoint, next_step="Start it.") as client:
            await client.call(Health(), 20_000)

    started_s = time.monotonic()
    with pytest.raises(UnavailableError, match=r"nobody listens at .* Start it\."):
        asyncio.run(ask())
    assert time.monotonic() - started_s < 5


def test_the_loop_goes_on_while_a_call_waits(endpoint: str) -> None:
    async def count() -> int:
        async with AsyncClient(endpoint) as client:
            call = asyncio.create_task(client.call(DaemonAsk(text="slow"), 5000))
            turns = 0
            while not call.done():
                await asyncio.sleep(0.01)
                turns += 1
            return turns

    with serving(endpoint):
        assert asyncio.run(count()) > 5


def test_a_cancelled_call_harms_no_later_one(endpoint: str) -> None:
    async def ask() -> Reply:
        async with AsyncClient(endpoint) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.call(DaemonAsk(text="slow"), 5000), 0.1)
            return await client.call(DaemonAsk(text="next"), 5000)

    with serving(endpoint):
        reply = asyncio.run(ask())
    assert isinstance(reply, AnswerReply)
    assert reply.answer.text == "next"


def test_a_runtime_that_starts_later_is_waited_for(endpoint: str) -> None:
    async def wait() -> Ready:
        async with AsyncClient(endpoint) as client:
            with pytest.raises(DeadlineError, match="not ready after 60 ms"):
                await client.wait_until_ready(60)
            waiting = asyncio.create_task(client.wait_until_ready(10_000))
            await asyncio.sleep(0.1)
            with serving(endpoint):
                return await waiting

    assert asyncio.run(wait()) == READY


def test_something_else_than_a_runtime_is_not_ready(endpoint: str) -> None:
    async def wait() -> None:
        async with AsyncClient(endpoint) as client:
            await client.wait_until_ready(5000)

    with serving(endpoint, lambda request, deadline: Done()), pytest.raises(WireError, match="no runtime"):
        asyncio.run(wait())


def test_keys_are_used_and_a_network_without_keys_is_refused(tmp_path: Path) -> None:
    async def ask(keys: ClientKeys) -> Reply:
        async with AsyncClient(network, keys=keys) as client:
            return await client.call(Hello(), 5000)

    network = free_endpoint()
    box = ServerKeys(ensure_key(tmp_path / "box.json"), AllowList(tmp_path / "allowed.json"))
    pair = ensure_key(tmp_path / "friend.json")
    box.allowed.allow("tablet", pair.public)
    stranger = ensure_key(tmp_path / "stranger.json")
    with serving(network, keys=box):
        assert asyncio.run(ask(ClientKeys(pair, box.pair.public))) == READY
        with pytest.raises(AccessError, match="does not let this key in"):
            asyncio.run(ask(ClientKeys(stranger, box.pair.public)))
    with pytest.raises(ConfigError, match="needs keys"):
        AsyncClient(network)
