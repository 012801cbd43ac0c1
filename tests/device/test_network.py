"""Claims about asking the box from another machine: two homes, real keys, real TCP, the real command line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device.config import load_config
from device.daemon.remote import NetworkDoor, from_afar
from device.paths import Home
from runtime.client import Client
from runtime.contract.dialogue import Answer, Evidence, exit_code
from runtime.contract.errors import AccessError, UsageError
from runtime.keys import AllowList, ClientKeys, ServerKeys, ensure_key
from runtime.wire import (
    AnswerReply,
    DaemonAsk,
    DaemonReload,
    DaemonStatus,
    DaemonStatusReply,
    DaemonStop,
    Health,
    Reply,
    Request,
)
from tests.device.command_line import run_json
from tests.device.daemon_world import World, short_world, wait_for
from tests.device.fake_runtime import short_home
from tests.fakes.network import free_endpoint


def listen(box: World, endpoint: str) -> None:
    with box.home.config_file.open("a", encoding="utf-8") as stream:
        stream.write(f'\n[network]\nlisten = "{endpoint}"\n')


@contextmanager
def tablet_of(endpoint: str, box_key: str) -> Iterator[Home]:
    """Another machine: a home of its own that names the box."""
    with short_home() as home:
        home.config_file.write_text(f'[network]\nbox = "{endpoint}"\nbox_key = "{box_key}"\n')
        yield home


def test_a_tablet_asks_the_box_once_its_key_is_allowed_and_no_longer_when_it_is_revoked() -> None:
    endpoint = free_endpoint()
    with short_world({"hob": "kitchen"}, ("kitchen",)) as box:
        listen(box, endpoint)
        box.start()
        box.wait_until_live()
        _, shown = run_json(box.home, "keys", "show")
        with tablet_of(endpoint, shown["public_key"]) as tablet:
            code, told = run_json(tablet, "ask", "Who is in the kitchen?")
            assert (code, told["error"]["code"]) == (2, "access")
            _, own = run_json(tablet, "keys", "show")
            assert run_json(box.home, "keys", "allow", "tablet", own["public_key"])[0] == 0
            assert run_json(box.home, "keys", "list")[1]["allowed"] == {"tablet": own["public_key"]}
            code, told = run_json(tablet, "ask", "Who is in the kitchen?")
            here = box.ask("Who is in the kitchen?")
            assert (code, told["text"]) == (exit_code(here), here.text)
            assert [camera["camera"] for camera in told["cameras"]] == ["hob"]
            _, status = run_json(tablet, "status")
            assert status["daemon"]["cameras"][0]["camera"] == "hob"
            assert run_json(box.home, "keys", "revoke", "tablet")[0] == 0
            code, told = run_json(tablet, "ask", "Who is in the kitchen?")
            assert (code, told["error"]["code"]) == (2, "access")
        assert box.status().notes == ()


def test_a_box_that_is_off_is_unavailable() -> None:
    with tablet_of(free_endpoint(), "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7") as tablet:
        code, told = run_json(tablet, "ask", "Who is in the kitchen?")
        assert (code, told["error"]["code"]) == (4, "unavailable")
        assert "Is the box on" in told["error"]["next_step"]


def test_a_taken_address_is_a_note_of_the_status_and_is_had_as_soon_as_it_is_free(tmp_path: Path) -> None:
    endpoint = free_endpoint()
    keys = ServerKeys(ensure_key(tmp_path / "own.json"), AllowList(tmp_path / "allowed.json"))
    friend = ClientKeys(ensure_key(tmp_path / "friend.json"), keys.pair.public)
    keys.allowed.allow("friend", friend.pair.public)
    host, _, port = endpoint.removeprefix("tcp://").partition(":")
    with socket.socket() as squatter:
        squatter.bind((host, int(port)))
        squatter.listen()
        door = NetworkDoor(endpoint, _answer, keys, retry_s=0.1)
        door.start()
        wait_for(lambda: door.problems() != ())
        assert "already listens" in door.problems()[0]
    wait_for(lambda: door.problems() == ())
    with Client(endpoint, keys=friend) as client:
        assert isinstance(client.call(DaemonAsk(text="Who?"), 5000), AnswerReply)
    door.close()
    assert not [one for one in threading.enumerate() if one.name == "pvchat-network"]


def test_a_door_that_is_closed_while_it_waits_for_its_address_ends(tmp_path: Path) -> None:
    keys = ServerKeys(ensure_key(tmp_path / "own.json"), AllowList(tmp_path / "allowed.json"))
    door = NetworkDoor("tcp://192.0.2.1:7700", _answer, keys, retry_s=30.0)  # a net that no machine has
    door.start()
    wait_for(lambda: door.problems() != ())
    door.close()
    assert "192.0.2.1" in door.problems()[0]


def _answer(request: Request, deadline: object) -> Reply:
    if isinstance(request, DaemonStatus):
        return DaemonStatusReply(pid=1, uptime_s=0.0, rss_mib=0.0, runtime="ready", bundle_id="", base="")
    proof = Evidence("hob", 0.0, (0, 0, 1, 1), "0" * 64, None, image="/evidence/1.jpg")
    return AnswerReply(answer=Answer("people", "Nobody.", None, None, 0.9, evidence=(proof,)))


@pytest.mark.parametrize("request_", [DaemonStop(), DaemonReload(), Health()])
def test_only_questions_and_status_are_answered_from_afar(request_: Request) -> None:
    handle = from_afar(_answer)
    assert isinstance(handle(DaemonStatus(), lambda: 1.0), DaemonStatusReply)
    with pytest.raises(AccessError, match="from afar"):
        handle(request_, lambda: 1.0)


def test_no_path_of_the_box_leaves_it_and_none_is_taken() -> None:
    handle = from_afar(_answer)
    reply = handle(DaemonAsk(text="Who?"), lambda: 1.0)
    assert isinstance(reply, AnswerReply)
    assert [one.image for one in reply.answer.evidence] == [""]
    assert reply.answer.evidence[0].frame_sha256 == "0" * 64
    with pytest.raises(AccessError, match="stay on the box"):
        handle(DaemonAsk(text="Who?", evidence_dir=Path("/etc")), lambda: 1.0)


@pytest.mark.parametrize(
    "lines",
    ['listen = "tcp://*:7700"', 'listen = "192.168.1.2:7700"', 'box = "tcp://box:7700"',
     'box = "tcp://box:7700"\nbox_key = "short"'],
)  # fmt: skip
def test_a_network_that_cannot_work_is_refused_in_the_settings(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "device.toml"
    path.write_text(f"[network]\n{lines}\n")
    with pytest.raises(UsageError):
        load_config(path)
