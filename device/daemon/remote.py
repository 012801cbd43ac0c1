"""The daemon's door to the network: who may knock, and what may be asked from afar. Knows no cameras.

Only a question and a status travel: settings, people and files are the affair of whoever sits at the box.
Paths of the box stay on the box. An address that is not there yet (no network at start) is tried again.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import msgspec

from runtime.contract.dialogue import Answer
from runtime.contract.errors import AccessError, PvchatError
from runtime.contract.serving import Deadline
from runtime.keys import ServerKeys
from runtime.router import Handler, Server
from runtime.wire import AnswerReply, DaemonAsk, DaemonStatus, Reply, Request

_THREADS = 2
_QUEUE = 16
_RETRY_S = 5.0
_log = logging.getLogger(__name__)


class NetworkDoor:
    """Serves one network address in a thread, from `start` until `close`."""

    def __init__(
        self, endpoint: str, handler: Handler, keys: ServerKeys, *, retry_s: float = _RETRY_S
    ) -> None:
        """Nothing is opened yet.

        Args:
            handler: the daemon's own; asked only for what may be asked from afar.
            retry_s: how long to wait before an address that could not be had is tried again.
        """
        self._endpoint = endpoint
        self._keys = keys
        self._retry_s = retry_s
        self._handler = from_afar(handler)
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._problem = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pvchat-network", daemon=True)

    def start(self) -> None:
        """Open it, now or as soon as it can be."""
        self._thread.start()

    def problems(self) -> tuple[str, ...]:
        """Why nobody can knock, a line, or nothing."""
        return (self._problem,) if self._problem else ()

    def close(self) -> None:
        """Close it, and wait until it is."""
        with self._lock:
            self._closed.set()
            if self._server is not None:
                self._server.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            if self._open():
                return
            self._closed.wait(self._retry_s)

    def _open(self) -> bool:
        """Serve until closed; False: the address could not be had."""
        server = Server(
            self._endpoint, self._handler, threads=_THREADS, queue_size=_QUEUE, grace_s=0.5, keys=self._keys
        )
        try:
            server.start()
        except PvchatError as error:
            if not self._problem:
                _log.warning("nobody can ask from afar: %s", error)
            self._problem = f"Nobody can ask from afar: {error}"
            return False
        try:
            with self._lock:
                self._server, self._problem = server, ""
                if self._closed.is_set():
                    return True
            _log.info("listening at %s", self._endpoint)
            server.serve()
        finally:
            server.close()
        return True


def from_afar(handler: Handler) -> Handler:
    """The same handler for those who are not on the box: questions and status alone, and no paths."""

    def handle(request: Request, deadline: Deadline) -> Reply:
        if not isinstance(request, (DaemonAsk, DaemonStatus)):
            raise AccessError(f"{type(request).__name__} is not for callers from afar.", "Do it on the box.")
        if isinstance(request, DaemonAsk) and request.evidence_dir is not None:
            raise AccessError("evidence pictures stay on the box.", "Ask without --evidence-dir.")
        reply = handler(request, deadline)
        if isinstance(reply, AnswerReply):
            return msgspec.structs.replace(reply, answer=_without_paths(reply.answer))
        return reply

    return handle


def _without_paths(answer: Answer) -> Answer:
    return replace(answer, evidence=tuple(replace(one, image="") for one in answer.evidence))
