"""Claims about `python -m runtime`: the real program, bundle and sockets; only the session is fake."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.client import Client, wait_until_ready
from runtime.config import RuntimeConfig, load_runtime_config
from runtime.contract.bundle import Bundle, FileEntry, Manifest, manifest_to_json
from runtime.contract.calibration import Calibration
from runtime.contract.dialogue import Answer, Intent
from runtime.contract.errors import AdapterError, ConfigError, DeadlineError, UnavailableError, WireError
from runtime.contract.pixels import PixelSpec
from runtime.contract.serving import AdapterRef, ClipSource, EnrolRequest, WindowSource
from runtime.server import SessionHandler
from runtime.stats import ServerStats
from runtime.wire import (
    AnswerReply,
    Ask,
    DaemonStop,
    Done,
    Enrol,
    EnrolReply,
    Health,
    HealthReply,
    Ready,
    Request,
    SetSubjects,
)

ROOT = Path(__file__).parents[2]
WHO = "s" + "0" * 32

_FAKE_SESSION = """
import json, sys, types
from runtime.contract.dialogue import Answer
from runtime.contract.errors import AdapterError
from runtime.contract.serving import ClipSource, EnrolReport

class FakeSession:
    def __init__(self, config): self.config = config
    def prepare_subjects(self, refs):
        if any(not ref.path.exists() for ref in refs):
            raise AdapterError("adapter file is missing.", "Enrol again.")
        for ref in refs: ref.path.read_bytes()  # of a pipe: waits for a writer
        return lambda: None
    def answer(self, source, intent, names, evidence_dir, deadline):
        where = str(source.path) if isinstance(source, ClipSource) else source.ring
        text = json.dumps([where, intent.kind, names, str(evidence_dir), deadline() > 0, self.config.threads])
        return Answer("verdict", text, "yes", 0.95, 0.9)
    def enrol(self, r):
        if r.path.is_fifo(): r.path.read_bytes()
        return EnrolReport(r.subject_id, r.release, "head", 8, 8, 0, 5, 1, 0.7, r.adapter_path, r.sheet_path)
    def forget_gone(self):
        pass
    def selftest(self, adapter=None):
        return ["golden clip 1 differs", f"adapter {adapter}"] if adapter else []

fake = types.ModuleType("runtime.session")
fake.open_session = lambda bundle, config: FakeSession(config)
sys.modules["runtime.session"] = fake
from runtime.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pvc") as name:
        yield Path(name)


@pytest.fixture
def bundle(folder: Path) -> Path:
    root = folder / "bundle"
    root.mkdir()
    (root / "a.json").write_bytes(b"{}")
    entry = FileEntry("a.json", 2, hashlib.sha256(b"{}").hexdigest(), "other")
    manifest = Manifest("base", "f" * 64, (entry,), {}, {"Q": 16}, PixelSpec(), Calibration())
    (root / "manifest.json").write_bytes(manifest_to_json(manifest))
    return root


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _FAKE_SESSION, *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip


@contextmanager
def served(
    bundle: Path, *extra: str, before: tuple[str, ...] = ()
) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    endpoint = f"ipc://{bundle.parent}/r.sock"
    process = subprocess.Popen(
        [sys.executable, "-c", _FAKE_SESSION, *before, "serve", "--bundle", str(bundle), "--socket", endpoint,
         *extra],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    with process, Client(endpoint) as client:
        try:
            wait_until_ready(client, 30_000, alive=lambda: process.poll() is None)
            yield process, client
        finally:
            process.kill()


def texts(reply: Any) -> list[Any]:
    assert isinstance(reply, AnswerReply)
    found: list[Any] = json.loads(reply.answer.text)
    return found


def test_served_bundle_answers_every_verb(bundle: Path) -> None:
    adapter = bundle.parent / "x.safetensors"
    adapter.touch()
    with served(bundle, "--threads", "3") as (process, client):
        ready = wait_until_ready(client, 5000)
        assert ready == Ready(
            bundle_id=Bundle.open(bundle).bundle_id, base="f" * 64, pid=process.pid, shapes={"Q": 16},
            window_frames=8, window_fps=4.0, accept=0.9,
        )  # fmt: skip
        assert client.call(SetSubjects(adapters=(AdapterRef(WHO, adapter, 2),)), 5000) == Done()
        assert wait_until_ready(client, 5000).subjects == {WHO: 2}
        intent = Intent("existence", (WHO,))
        clip = Ask(
            intent=intent, names={WHO: "Ada"}, clip=ClipSource(Path("/c.mkv")), evidence_dir=Path("/e")
        )
        assert texts(client.call(clip, 5000)) == ["/c.mkv", "existence", {WHO: "Ada"}, "/e", True, 3]
        window = Ask(intent=intent, window=WindowSource("cam", "hall", "pvc_1"))
        assert texts(client.call(window, 5000))[0] == "pvc_1"
        enrol = EnrolRequest(WHO, Path("/c.mkv"), None, Path("/a"), Path("/s"), 4)
        enrolled = client.call(Enrol(request=enrol), 5000)
        assert isinstance(enrolled, EnrolReply)
        assert (enrolled.report.release, enrolled.report.sheet_path) == (4, Path("/s"))
        health = client.call(Health(), 5000)
        assert isinstance(health, HealthReply)
        assert health.rss_mib > 1
        assert health.failed == 0


def test_refused_adapters_leave_the_old_subjects(bundle: Path) -> None:
    adapter = bundle.parent / "x.safetensors"
    adapter.touch()
    with served(bundle) as (_, client):
        client.call(SetSubjects(adapters=(AdapterRef(WHO, adapter, 2),)), 5000)
        with pytest.raises(AdapterError, match="missing"):
            client.call(SetSubjects(adapters=(AdapterRef(WHO, Path("/nowhere"), 3),)), 5000)
        assert wait_until_ready(client, 5000).subjects == {WHO: 2}


def test_verb_of_the_daemon_is_a_wire_error(bundle: Path) -> None:
    with served(bundle) as (_, client), pytest.raises(WireError, match="DaemonStop is no request"):
        client.call(DaemonStop(), 5000)


def test_evidence_is_off_when_the_configuration_says_so(bundle: Path) -> None:
    config = bundle.parent / "c.toml"
    config.write_text("save_evidence = false\n", encoding="utf-8")
    ask = Ask(intent=Intent("who"), clip=ClipSource(Path("/c.mkv")), evidence_dir=Path("/e"))
    with served(bundle, "--config", str(config)) as (_, client):
        assert texts(client.call(ask, 5000))[3] == "None"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_cleanly(bundle: Path, number: signal.Signals) -> None:
    with served(bundle) as (process, client):
        process.send_signal(number)
        assert process.wait(10) == 0
        assert not (bundle.parent / "r.sock").exists()
        with pytest.raises(UnavailableError, match="nobody listens"):
            client.call(Health(), 1000)


def test_it_ends_with_its_parent_when_told_to(bundle: Path) -> None:
    with served(bundle, "--until-stdin-ends") as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_second_runtime_is_refused_before_it_loads_anything(bundle: Path) -> None:
    with served(bundle) as (_, client):
        done = run("serve", "--bundle", "/nowhere", "--socket", client.endpoint)
        assert done.returncode == 4
        assert "another process already listens" in done.stderr
        assert isinstance(client.call(Health(), 5000), HealthReply)


def test_damaged_bundle_is_refused(bundle: Path) -> None:
    (bundle / "a.json").write_bytes(b"[]")
    done = run("serve", "--bundle", str(bundle), "--socket", f"ipc://{bundle.parent}/r.sock")
    assert done.returncode == 5
    assert "a.json has changed" in done.stderr
    assert not (bundle.parent / "r.sock").exists()


def test_tcp_is_refused_as_usage(bundle: Path) -> None:
    done = run("serve", "--bundle", str(bundle), "--socket", "tcp://127.0.0.1:5555")
    assert done.returncode == 2
    assert "not local" in done.stderr


def test_selftest_is_silent_when_fine_and_tells_each_problem(bundle: Path) -> None:
    fine = run("selftest", str(bundle))
    assert (fine.returncode, fine.stdout) == (0, "")
    failing = run("selftest", str(bundle), "--adapter", "/x.safetensors")
    assert failing.returncode == 5
    assert failing.stdout.splitlines() == ["golden clip 1 differs", "adapter /x.safetensors"]


def test_threads_out_of_range_are_usage(bundle: Path) -> None:
    done = run("selftest", str(bundle), "--threads", "0")
    assert done.returncode == 2
    assert "threads must be 1 to 1024" in done.stderr


def test_default_configuration_file_says_the_defaults() -> None:
    assert load_runtime_config(ROOT / "configs/runtime/default.toml") == RuntimeConfig()
    assert load_runtime_config(None) == RuntimeConfig()


def test_misspelt_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("thread = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Did you mean 'threads'"):
        load_runtime_config(path)


class BusySession:
    """A session that is in the middle of something until `free` is set."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.entered = threading.Event()
        self.inside = 0
        self.tidied = 0

    def forget_gone(self) -> None:
        self.tidied += 1

    def answer(self, *_: Any) -> Answer:
        self.inside += 1
        assert self.inside == 1
        self.entered.set()
        self.free.wait(20)
        self.inside -= 1
        return Answer("verdict", "", "yes", 0.95, 0.9)


def test_session_is_used_by_one_thread_at_a_time_and_waiting_ends_at_the_deadline(bundle: Path) -> None:
    session: Any = BusySession()
    handler = SessionHandler(session, Bundle.open(bundle), ServerStats(), save_evidence=True)
    request = Ask(intent=Intent("who"), clip=ClipSource(bundle))
    thread = threading.Thread(target=handler, args=(request, lambda: 10.0))
    thread.start()
    assert session.entered.wait(10)
    with pytest.raises(DeadlineError, match="busy until the deadline"):
        handler(request, lambda: 0.05)
    assert isinstance(handler(Health(), lambda: 0.05), HealthReply)
    session.free.set()
    thread.join(10)
    assert isinstance(handler(request, lambda: 10.0), AnswerReply)


@pytest.mark.parametrize("verb", ["set_subjects", "enrol"])
def test_answers_go_on_while_somebody_is_slowly_learned_or_loaded(bundle: Path, verb: str) -> None:
    slow = bundle.parent / "slow"
    os.mkfifo(slow)
    requests: dict[str, Request] = {
        "set_subjects": SetSubjects(adapters=(AdapterRef(WHO, slow, 4),)),
        "enrol": Enrol(request=EnrolRequest(WHO, slow, None, bundle.parent / "a.safetensors", None, 4)),
    }
    replies: list[Any] = []

    def swap(endpoint: str) -> None:
        with Client(endpoint) as other:
            replies.append(other.call(requests[verb], 60_000))

    with served(bundle) as (_, client):
        thread = threading.Thread(target=swap, args=(client.endpoint,))
        thread.start()
        with slow.open("wb"):  # returns when the runtime reads, which then waits for the end of this block
            for _ in range(20):
                assert texts(client.call(Ask(intent=Intent("who"), clip=ClipSource(bundle)), 20_000))
            assert wait_until_ready(client, 5000).subjects == {}
            assert replies == []
        thread.join(20)
        assert isinstance(replies[0], Done if verb == "set_subjects" else EnrolReply)
        assert wait_until_ready(client, 5000).subjects == ({WHO: 4} if verb == "set_subjects" else {})


def test_program_leaves_nothing_on_standard_error_but_its_log(bundle: Path) -> None:
    with served(bundle, "--until-stdin-ends") as (process, _):
        os.kill(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    lines = errors.splitlines()
    assert len(lines) == 2
    assert "serving bundle" in lines[0]
    assert "stopped after" in lines[1]


def test_tidying_never_waits_for_a_session_that_is_busy(bundle: Path) -> None:
    session: Any = BusySession()
    handler = SessionHandler(session, Bundle.open(bundle), ServerStats(), save_evidence=True)
    handler.tidy()
    assert session.tidied == 1
    asked = Ask(intent=Intent("who"), clip=ClipSource(bundle))
    thread = threading.Thread(target=handler, args=(asked, lambda: 10.0))
    thread.start()
    assert session.entered.wait(10)
    handler.tidy()
    assert session.tidied == 1, "the next time will do"
    session.free.set()
    thread.join(10)
    handler.tidy()
    assert session.tidied == 2


def test_its_log_is_json_lines_when_wanted(bundle: Path) -> None:
    with served(bundle, before=("--log-format", "json")) as (process, _):
        os.kill(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    first, last = (json.loads(line) for line in errors.splitlines())
    assert (first["level"], first["logger"]) == ("INFO", "runtime")
    assert "serving bundle" in first["message"] and "stopped after" in last["message"]


def test_adapters_that_are_only_checked_are_not_installed(bundle: Path) -> None:
    adapter = bundle.parent / "x.safetensors"
    adapter.touch()
    with served(bundle) as (_, client):
        client.call(SetSubjects(adapters=(AdapterRef(WHO, adapter, 2),)), 5000)
        only = SetSubjects(adapters=(AdapterRef(WHO, adapter, 3),), only_check=True)
        assert client.call(only, 5000) == Done()
        with pytest.raises(AdapterError, match="missing"):
            missing = AdapterRef(WHO, Path("/nowhere"), 3)
            client.call(SetSubjects(adapters=(missing,), only_check=True), 5000)
        assert wait_until_ready(client, 5000).subjects == {WHO: 2}
