"""Claims about signals that reach a server while it waits."""

from __future__ import annotations

import signal
import tempfile
import threading
import time

import pytest

from runtime.client import Client
from runtime.contract.serving import Deadline
from runtime.router import Server
from runtime.wire import DaemonAsk, Done, Reply, Request


def done_at_once(request: Request, deadline: Deadline) -> Reply:
    return Done()


def test_signal_that_does_not_interrupt_the_wait_still_stops_the_server_at_once() -> None:
    """A signal taken by another thread leaves the wait alone, just as one that comes right before it."""
    done = threading.Event()
    with (
        tempfile.TemporaryDirectory(prefix="pvc") as folder,
        Server(f"ipc://{folder}/s", done_at_once) as server,
    ):
        before = signal.signal(signal.SIGUSR1, lambda *_: server.stop())
        late = threading.Timer(5.0, server.stop)

        def elsewhere() -> None:
            time.sleep(0.2)
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            done.wait(5.0)

        sender = threading.Thread(target=elsewhere)
        try:
            sender.start()
            late.start()
            began = time.monotonic()
            server.serve()
            assert time.monotonic() - began < 4.0
        finally:
            done.set()
            late.cancel()
            sender.join()
            signal.signal(signal.SIGUSR1, before)
    assert signal.set_wakeup_fd(-1) == -1


def test_signal_that_does_not_interrupt_a_client_s_wait_is_noticed_soon() -> None:
    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    def slow(request: Request, deadline: Deadline) -> Reply:
        release.wait(20)
        return Done()

    release, done = threading.Event(), threading.Event()

    def elsewhere() -> None:
        time.sleep(0.3)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        done.wait(20.0)

    with tempfile.TemporaryDirectory(prefix="pvc") as folder, Server(f"ipc://{folder}/s", slow) as server:
        serving, sender = threading.Thread(target=server.serve), threading.Thread(target=elsewhere)
        before = signal.signal(signal.SIGUSR1, stop)
        try:
            serving.start()
            sender.start()
            began = time.monotonic()
            with Client(f"ipc://{folder}/s") as client, pytest.raises(StopError):
                client.call(DaemonAsk(text="Is anybody here?"), 10_000)
            assert time.monotonic() - began < 3.0
        finally:
            release.set()
            done.set()
            server.stop()
            serving.join()
            sender.join()
            signal.signal(signal.SIGUSR1, before)
