"""Claims about talking over a network: real TCP sockets, real keys, and everybody who must stay outside."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from runtime.address import network_address
from runtime.client import Client
from runtime.contract.errors import AccessError, ConfigError, StoreError, UnavailableError, UsageError
from runtime.keys import AllowList, ClientKeys, KeyPair, ServerKeys, check_key, ensure_key
from runtime.router import Server
from runtime.wire import Done, Hello, encode_request
from tests.fakes.network import free_endpoint


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


@pytest.fixture
def box(tmp_path: Path) -> ServerKeys:
    return ServerKeys(ensure_key(tmp_path / "box.json"), AllowList(tmp_path / "allowed.json"))


@pytest.fixture
def server(endpoint: str, box: ServerKeys) -> Iterator[Server]:
    with Server(endpoint, lambda request, deadline: Done(), keys=box) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server
        server.stop()
        thread.join(10)


@pytest.fixture
def friend(tmp_path: Path, box: ServerKeys) -> ClientKeys:
    pair = ensure_key(tmp_path / "friend.json")
    box.allowed.allow("tablet", pair.public)
    return ClientKeys(pair, box.pair.public)


def test_an_allowed_key_is_served_over_the_network(server: Server, friend: ClientKeys) -> None:
    with Client(server.endpoint, keys=friend) as client:
        assert client.call(Hello(), 5000) == Done()


def test_an_unknown_key_is_told_at_once_that_it_is_not_let_in(
    server: Server, friend: ClientKeys, tmp_path: Path
) -> None:
    stranger = ClientKeys(ensure_key(tmp_path / "stranger.json"), friend.server)
    began = time.monotonic()
    with Client(server.endpoint, keys=stranger) as client, pytest.raises(AccessError, match="this key"):
        client.call(Hello(), 20_000)
    assert time.monotonic() - began < 5
    assert server.stats.counts()["served"] == 0


def test_a_server_with_another_key_is_not_believed(
    server: Server, friend: ClientKeys, tmp_path: Path
) -> None:
    mistaken = ClientKeys(friend.pair, ensure_key(tmp_path / "another-box.json").public)
    with Client(server.endpoint, keys=mistaken) as client, pytest.raises(AccessError, match="prove"):
        client.call(Hello(), 20_000)
    assert server.stats.counts()["served"] == 0


@pytest.mark.parametrize("mechanism", ["null", "plain"])
def test_nobody_without_curve_is_served(server: Server, mechanism: str) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        if mechanism == "plain":
            dealer.plain_username, dealer.plain_password = b"root", b"root"
        dealer.connect(server.endpoint)
        dealer.send(encode_request(Hello(), os.urandom(16), 1000))
        assert not dealer.poll(1000)
    assert server.stats.counts() == {"served": 0, "failed": 0, "expired": 0, "refused": 0}


def test_a_revoked_key_is_refused_on_a_connection_that_is_still_open(
    server: Server, friend: ClientKeys, box: ServerKeys
) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.curve_serverkey = friend.server.encode()
        dealer.curve_publickey, dealer.curve_secretkey = (
            friend.pair.public.encode(), friend.pair.secret.encode(),
        )  # fmt: skip
        dealer.connect(server.endpoint)
        dealer.send(encode_request(Hello(), os.urandom(16), 5000))
        assert dealer.poll(5000)
        dealer.recv()
        box.allowed.revoke("tablet")
        dealer.send(encode_request(Hello(), os.urandom(16), 5000))
        assert dealer.poll(5000)
        assert b"access" in dealer.recv()
    assert server.stats.counts()["served"] == 1


def test_an_allow_list_that_cannot_be_read_lets_nobody_in(
    server: Server, friend: ClientKeys, box: ServerKeys
) -> None:
    box.allowed.path.write_text("{")
    with Client(server.endpoint, keys=friend) as client, pytest.raises(AccessError):
        client.call(Hello(), 20_000)


def test_a_network_without_keys_is_refused_on_both_sides(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="keys"):
        Server(endpoint, lambda request, deadline: Done()).start()
    with pytest.raises(ConfigError, match="keys"):
        Client(endpoint)


def test_a_second_server_on_the_same_address_is_refused(server: Server, box: ServerKeys) -> None:
    second = Server(server.endpoint, lambda request, deadline: Done(), keys=box)
    with pytest.raises(UnavailableError, match="already listens"):
        second.start()


def test_a_network_address_where_nobody_listens_is_told_at_once(endpoint: str, friend: ClientKeys) -> None:
    with Client(endpoint, keys=friend) as client, pytest.raises(UnavailableError, match="nobody listens"):
        client.call(Hello(), 20_000)


def test_a_server_that_was_closed_leaves_no_thread_and_can_start_again(
    endpoint: str, box: ServerKeys, friend: ClientKeys
) -> None:
    before = threading.active_count()
    for _ in range(3):
        with Server(endpoint, lambda request, deadline: Done(), keys=box) as server:
            thread = threading.Thread(target=server.serve)
            thread.start()
            with Client(endpoint, keys=friend) as client:
                assert client.call(Hello(), 5000) == Done()
            server.stop()
            thread.join(10)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://*:7", "tcp://0.0.0.0:7", "tcp://[::]:7", "tcp://:7", "tcp://host", "tcp://host:", "tcp://host:0",
     "tcp://host:65536", "tcp://host:x", "ipc:///a", "udp://host:7"],
)  # fmt: skip
def test_an_address_that_is_none_or_means_every_network_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError):
        network_address(endpoint)


def test_a_host_may_be_a_name_or_a_number() -> None:
    assert network_address("tcp://box.local:7700") == ("box.local", 7700)
    assert network_address("tcp://[fe80::1]:7700") == ("fe80::1", 7700)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    pair = ensure_key(tmp_path / "key.json")
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    assert ensure_key(tmp_path / "key.json") == pair
    assert pair.secret not in repr(pair)


def mix_halves(path: Path) -> None:
    """A public key that does not belong to the secret one."""
    other = ensure_key(path.with_name("other.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "public": other.public}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.chmod(0o644),
        lambda path: path.write_text("{}"),
        lambda path: path.write_text("no json"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text(json.dumps({"public": "a", "secret": "b"})),
        mix_halves,
    ],
)
def test_a_key_file_that_is_damaged_or_open_is_refused_and_kept(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "key.json"
    ensure_key(path)
    damage(path)  # type: ignore[operator]
    kept = path.read_bytes()
    with pytest.raises(StoreError):
        ensure_key(path)
    assert path.read_bytes() == kept


@given(st.text(max_size=60))
def test_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        check_key(text[:39])


def test_a_name_has_one_key_and_a_key_one_name(tmp_path: Path) -> None:
    one, two = (ensure_key(tmp_path / f"{name}.json").public for name in ("one", "two"))
    allowed = AllowList(tmp_path / "allowed.json")
    allowed.allow("tablet", one)
    with pytest.raises(UsageError, match="tablet"):
        allowed.allow("phone", one)
    allowed.allow("tablet", two)
    assert allowed.names() == {"tablet": two}
    assert not allowed.lets_in(one)
    with pytest.raises(UsageError, match="Allowed: tablet"):
        allowed.revoke("phone")
    with pytest.raises(UsageError):
        allowed.allow("", one)


def test_a_list_that_another_process_changed_is_read_again(tmp_path: Path) -> None:
    key = ensure_key(tmp_path / "one.json").public
    here, there = (AllowList(tmp_path / "allowed.json") for _ in range(2))
    assert not here.lets_in(key)
    there.allow("tablet", key)
    assert here.lets_in(key)
    there.revoke("tablet")
    assert not here.lets_in(key)


def test_a_key_pair_is_that_of_curve(tmp_path: Path) -> None:
    pair = ensure_key(tmp_path / "key.json")
    assert isinstance(pair, KeyPair)
    assert zmq.curve_public(pair.secret.encode()).decode() == pair.public
