"""The runtime as this home uses it: started when needed, with this home's bundle and people loaded.

Knows no engines: the runtime is another process, reached through its socket.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from device.bundles import child_environment
from device.config import Limits
from device.paths import Home
from device.store.records import ActiveAdapter
from runtime.client import Client, wait_until_ready
from runtime.contract.bundle import Bundle
from runtime.contract.dialogue import Answer, Intent
from runtime.contract.errors import EngineError, PvchatError, UnavailableError, WireError
from runtime.contract.serving import ClipSource, EnrolReport, EnrolRequest
from runtime.wire import AnswerReply, Ask, DaemonStatus, Enrol, EnrolReply, Hello, Ready, SetSubjects

_HELLO_MS = 2_000
_SET_SUBJECTS_MS = 20_000
_STOP_S = 10.0
_POLL_S = 0.05
_MAX_LOG_BYTES = 4 << 20


class _Detached(subprocess.Popen[bytes]):
    """A child that is meant to outlive us: when we end, Python must not warn that it still runs."""

    def __del__(self) -> None:
        """Nothing: those that end before us are reaped from `_started`."""


_started: list[_Detached] = []  # kept, so that the ones that end are reaped


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running runtime with this home's people loaded; use it in a `with` block.

    Attributes:
        client: its socket.
        ready: what it said of itself when it was found.
    """

    client: Client
    ready: Ready

    def ask_clip(
        self, clip: Path, intent: Intent, names: Mapping[str, str], evidence_dir: Path | None, timeout_ms: int
    ) -> Answer:
        """Answer about one video file; raises whatever the runtime raised."""
        request = Ask(intent=intent, names=dict(names), clip=ClipSource(clip), evidence_dir=evidence_dir)
        reply = self.client.call(request, timeout_ms)
        if not isinstance(reply, AnswerReply):
            raise _strange(reply)
        return reply.answer

    def enrol(self, request: EnrolRequest, timeout_ms: int) -> EnrolReport:
        """Make an adapter from one clip; raises whatever the runtime raised."""
        reply = self.client.call(Enrol(request=request), timeout_ms)
        if not isinstance(reply, EnrolReply):
            raise _strange(reply)
        return reply.report

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()


def ensure_runtime(home: Home, adapters: Sequence[ActiveAdapter], limits: Limits) -> Runtime:
    """The runtime of this home: the one that runs, or a new one; with exactly these adapters loaded.

    While the daemon runs, its runtime is used, and waited for. Without a daemon, a runtime that serves
    another bundle than the current one is stopped first.

    Raises:
        BundleError: no usable bundle. AdapterError: an adapter does not fit it.
        UnavailableError: it does not start in time, with the last line of its log.
    """
    home.create()
    bundle = Bundle.open(home.current_bundle())
    client = Client(home.runtime_endpoint, next_step="See `pvchat-edge doctor`.")
    try:
        with _only_one_starts(home):
            ready = _running(client)
            if _daemon_runs(home):
                ready = ready or wait_until_ready(client, limits.runtime_start_timeout_ms)
            elif ready is not None and ready.bundle_id != bundle.bundle_id:
                _stop(client, ready.pid)
                ready = None
            if ready is None:
                ready = _start(home, bundle, client, limits)
            load_subjects(client, ready, adapters)
    except BaseException:
        client.close()
        raise
    return Runtime(client, ready)


def reload_if_running(home: Home, adapters: Sequence[ActiveAdapter]) -> bool:
    """Tell a running runtime who is installed now; False when none runs.

    Raises:
        AdapterError: an adapter does not fit its bundle; it keeps the ones it had.
    """
    with Client(home.runtime_endpoint) as client:
        ready = _running(client)
        if ready is None:
            return False
        load_subjects(client, ready, adapters)
        return True


def stop_runtime(home: Home) -> bool:
    """End the runtime of this home; False when none runs."""
    with Client(home.runtime_endpoint) as client:
        ready = _running(client)
        if ready is None:
            return False
        _stop(client, ready.pid)
        return True


def load_subjects(client: Client, ready: Ready, adapters: Sequence[ActiveAdapter]) -> None:
    """Install exactly these adapters, unless they are installed already."""
    refs = tuple(one.ref() for one in adapters)
    releases = {ref.subject_id: ref.release for ref in refs}
    denied = {ref.subject_id: ref.denied_mark for ref in refs if ref.denied}
    if (ready.subjects, ready.denied) == (releases, denied):
        return
    client.call(SetSubjects(adapters=refs), _SET_SUBJECTS_MS)


def _daemon_runs(home: Home) -> bool:
    with Client(home.daemon_endpoint) as client:
        try:
            client.call(DaemonStatus(), _HELLO_MS)
        except UnavailableError:
            return False
    return True


def _running(client: Client) -> Ready | None:
    try:
        reply = client.call(Hello(), _HELLO_MS)
    except WireError:
        raise
    except UnavailableError:
        return None
    if not isinstance(reply, Ready):
        raise _strange(reply)
    return reply


def _start(home: Home, bundle: Bundle, client: Client, limits: Limits) -> Ready:
    log = home.logs / "runtime.log"
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        log.replace(log.with_name("runtime.log.1"))
    command = [
        sys.executable, "-m", "device.idle_runtime",
        "--socket", client.endpoint, "--idle-exit-s", str(limits.runtime_idle_exit_s), "--",
        sys.executable, "-m", "runtime", "serve", "--until-stdin-ends",
        "--bundle", str(bundle.root.absolute()), "--socket", client.endpoint,
        "--models", str(home.models), "--engines", str(home.engines),
    ]  # fmt: skip
    _started[:] = [child for child in _started if child.poll() is None]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = _Detached(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=child_environment(),
            cwd=home.root,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    _started.append(child)
    try:
        return wait_until_ready(client, limits.runtime_start_timeout_ms, lambda: child.poll() is None)
    except UnavailableError as error:
        if child.poll() is None:
            child.terminate()
        raise EngineError(
            f"the runtime did not start: {_last_line(log)}", f"See {log}, or run `pvchat-edge doctor`."
        ) from error


def _stop(client: Client, pid: int) -> None:
    """End a runtime and wait until it is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = []
    if b"runtime" not in words or b"serve" not in words:
        raise UnavailableError(
            f"process {pid} at {client.endpoint} is no runtime of ours to stop.", "Stop it, then try again."
        )
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    until_s = time.monotonic() + _STOP_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until_s:
        _started[:] = [child for child in _started if child.poll() is None]
        time.sleep(_POLL_S)


@contextlib.contextmanager
def _only_one_starts(home: Home) -> Iterator[None]:
    descriptor = os.open(home.run / "runtime.starting", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing."


def _strange(reply: object) -> PvchatError:
    return WireError(
        f"the runtime answered {type(reply).__name__}, which was not asked for.", "Update both sides."
    )
