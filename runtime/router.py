"""The socket server of the runtime and of the daemon: bytes in, handler, bytes out. Knows no models.

One thread owns the ROUTER socket; workers take requests from a bounded queue and hand replies back through a
pipe. A full queue is answered at once with `BusyError`; a request whose deadline passed while it waited is
dropped, for nobody waits any more. Requests of the `express` kinds, which are quick, have a worker of their
own, and so have those of the `beside` kinds, which are slow: none waits behind the others, or holds them up.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import zmq

from runtime.address import Claim, is_network, network_address
from runtime.contract.errors import (
    AccessError,
    BusyError,
    ConfigError,
    PvchatError,
    UnavailableError,
    WireError,
)
from runtime.contract.serving import Deadline
from runtime.guard import Guard
from runtime.keys import ServerKeys
from runtime.stats import ServerStats
from runtime.wire import (
    MAX_MESSAGE_BYTES,
    NO_REQUEST,
    DaemonStatus,
    DaemonStop,
    Envelope,
    ErrorReply,
    Health,
    Hello,
    Reply,
    Request,
    decode_envelope,
    decode_request,
    encode_reply,
    to_error_reply,
)

Handler = Callable[[Request, Deadline], Reply]
"""Answers one request or raises a `PvchatError`; called from several threads when a server has several."""

EXPRESS: tuple[type[Request], ...] = (Hello, Health, DaemonStatus, DaemonStop)
_MAX_FRAMES = 3
_HIGH_WATER = 64
_HANDSHAKE_MS = 1000
_FAREWELL_MS = 250
_SILENCE_MS = 10_000
_FORGET_MS = 30_000
"""A peer of the network that says nothing is asked after `_SILENCE_MS`, and forgotten `_FORGET_MS` later."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    peer: bytes
    envelope: Envelope
    request: Request
    until_s: float

    def left_s(self) -> float:
        return self.until_s - time.monotonic()


class Server:
    """Serves one endpoint until `stop`. `start` binds, `serve` runs; a with statement starts and closes."""

    def __init__(
        self,
        endpoint: str,
        handler: Handler,
        *,
        threads: int = 1,
        queue_size: int = 16,
        express: tuple[type[Request], ...] = EXPRESS,
        beside: tuple[type[Request], ...] = (),
        stats: ServerStats | None = None,
        grace_s: float = 5.0,
        keys: ServerKeys | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            endpoint: ipc:// and an absolute path, or tcp:// with `keys`.
            threads: workers; more than one only for a handler that may be called by several threads.
            queue_size: requests that may wait; one more is refused.
            express: kinds of request that must not wait behind others; the handler must be quick with them.
            beside: kinds of request that the others must not wait behind; one of them at a time.
            grace_s: how long `stop` waits for requests being worked on.
        """
        self.endpoint = endpoint
        self.stats = stats or ServerStats()
        self._handler = handler
        self._threads = threads
        self._express, self._beside = express, beside
        self._grace_s = grace_s
        self._keys = keys
        self._ordinary: queue.Queue[_Job | None] = queue.Queue(queue_size)
        self._urgent: queue.Queue[_Job | None] = queue.Queue(queue_size)
        self._slow: queue.Queue[_Job | None] = queue.Queue(queue_size)
        self._replies: deque[tuple[bytes, bytes]] = deque()
        self._stopping = threading.Event()
        self._workers: list[threading.Thread] = []
        self._claim: Claim | None = None
        self._guard: Guard | None = None
        self._open = False
        self._wake_lock = threading.RLock()
        self._wake_in = self._wake_out = -1

    def start(self) -> None:
        """Claim the address, bind and start the workers.

        Raises:
            ConfigError: a bad endpoint or folder. UnavailableError: somebody else listens there.
        """
        self._take_address()
        self._open = True
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES),
            (zmq.SNDHWM, _HIGH_WATER),
            (zmq.RCVHWM, _HIGH_WATER),
            (zmq.HANDSHAKE_IVL, _HANDSHAKE_MS),
            (zmq.ROUTER_MANDATORY, 1),
        ):
            self._socket.setsockopt(option, value)
        self._bind()
        queues = [self._urgent, *[self._ordinary] * self._threads, *[self._slow] * bool(self._beside)]
        self._workers = [
            threading.Thread(target=self._work, args=(jobs,), name=f"pvchat-worker-{index}", daemon=True)
            for index, jobs in enumerate(queues)
        ]
        for worker in self._workers:
            worker.start()

    def _take_address(self) -> None:
        if not is_network(self.endpoint):
            self._claim = Claim(self.endpoint)
            return
        network_address(self.endpoint)
        if self._keys is None:
            raise ConfigError(
                f"{self.endpoint} needs keys: it can be reached from other machines.",
                "Listen at ipc://, or give keys.",
            )

    def _bind(self) -> None:
        try:
            if self._keys is not None:
                self._socket.setsockopt(zmq.HEARTBEAT_IVL, _SILENCE_MS)
                self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _FORGET_MS)
                self._guard = Guard(self._context, self._keys)
                self._guard.protect(self._socket)
            self._socket.bind(self.endpoint)
            if self._claim is not None:
                self._claim.path.chmod(0o600)
        except (zmq.ZMQError, OSError) as error:
            self.close()
            if isinstance(error, zmq.ZMQError) and error.errno == zmq.EADDRINUSE:
                raise UnavailableError(
                    f"another process already listens at {self.endpoint}.", "Stop that one first, or use it."
                ) from error
            raise ConfigError(
                f"cannot listen at {self.endpoint}: {error}.", "Choose another address."
            ) from error

    def serve(self) -> None:
        """Handle requests until `stop`; returns when the last reply is out.

        In the main thread signals wake the loop through its own pipe: one that comes just before the wait
        would otherwise be noticed only after it.
        """
        if threading.current_thread() is not threading.main_thread():
            self._loop()
            return
        before = signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        try:
            self._loop()
        finally:
            signal.set_wakeup_fd(before)

    def _loop(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake_out, zmq.POLLIN)
        while not self._stopping.is_set():
            ready = dict(poller.poll())
            if self._wake_out in ready:
                self._drain_wakes()
            self._send_replies()
            if self._socket in ready:
                self._receive()
        self._finish()

    def stop(self) -> None:
        """Ask `serve` to return; from any thread and from a signal handler."""
        self._stopping.set()
        self._wake()

    def close(self) -> None:
        """Close the socket, remove its file, release the address. Twice is fine."""
        if not self._open:
            return
        self._open = False
        self._stopping.set()
        self._socket.close(linger=_FAREWELL_MS)
        if self._guard is not None:
            self._guard.close()
        self._context.term()
        if self._claim is not None:
            self._claim.path.unlink(missing_ok=True)
            self._claim.release()
        with self._wake_lock:
            ends, self._wake_in, self._wake_out = (self._wake_in, self._wake_out), -1, -1
            for end in ends:
                os.close(end)

    def _receive(self) -> None:
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        parts = [frame.bytes for frame in frames]
        peer, raw = parts[0], parts[-1]
        try:
            envelope = decode_envelope(raw)
        except WireError as error:
            self.stats.count("refused")
            _log.debug("refused a message without a readable envelope: %s", error)
            self._send(peer, encode_reply(to_error_reply(error), NO_REQUEST))
            return
        try:
            if self._guard is not None and not self._guard.admits(frames[-1]):
                raise AccessError("this key is not allowed here any more.", "Ask the owner of the box.")
            if len(parts) > _MAX_FRAMES:
                raise WireError(f"message has {len(parts) - 1} parts, at most {_MAX_FRAMES - 1} travel.")
            envelope, request = decode_request(raw)
            self._accept(_Job(peer, envelope, request, time.monotonic() + envelope.deadline_ms / 1000))
        except PvchatError as error:
            self.stats.count("refused")
            self._send(peer, encode_reply(to_error_reply(error), envelope.request_id))

    def _accept(self, job: _Job) -> None:
        jobs = self._queue_of(job.request)
        try:
            jobs.put_nowait(job)
        except queue.Full as error:
            raise BusyError(
                f"{jobs.maxsize} requests are waiting already.", "Ask again in a moment."
            ) from error
        self.stats.waiting = self._ordinary.qsize()

    def _queue_of(self, request: Request) -> queue.Queue[_Job | None]:
        if isinstance(request, self._express):
            return self._urgent
        return self._slow if isinstance(request, self._beside) else self._ordinary

    def _work(self, jobs: queue.Queue[_Job | None]) -> None:
        while True:
            job = jobs.get()
            if job is None:
                jobs.put(None)  # for the next worker of this queue
                return
            self.stats.waiting = self._ordinary.qsize()
            if job.left_s() <= 0:
                self.stats.count("expired")
                continue
            self.stats.begin(job.until_s)
            try:
                answer = self._answer(job)
            finally:
                self.stats.end()
            self._replies.append((job.peer, answer))
            self._wake()

    def _answer(self, job: _Job) -> bytes:
        """The reply as bytes, an error where there is one."""
        try:
            reply = self._handler(job.request, job.left_s)
            raw = encode_reply(reply, job.envelope.request_id)
            self.stats.count("served")
            return raw
        except PvchatError as error:
            problem = to_error_reply(error)
        except MemoryError:
            verb = type(job.request).__name__
            problem = to_error_reply(
                UnavailableError(f"the memory is not enough for {verb}.", "Free some, then ask again.")
            )
        except Exception as error:  # noqa: BLE001 - a bug in one request must not end the server
            problem = _unexpected(job.request, error)
        self.stats.count("failed")
        return encode_reply(problem, job.envelope.request_id)

    def _send_replies(self) -> None:
        while self._replies:
            self._send(*self._replies.popleft())

    def _send(self, peer: bytes, raw: bytes) -> None:
        try:
            self._socket.send_multipart([peer, raw], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # Gone (host unreachable) or not reading (again): its own deadline has told it already.
            _log.debug("a reply found no reader: %s", error)

    def _finish(self) -> None:
        """Refuse what waits, let the workers end what they have begun, send the last replies."""
        for jobs in (self._ordinary, self._urgent, self._slow):
            self._refuse_waiting(jobs)
            jobs.put(None)
        until_s = time.monotonic() + self._grace_s
        for worker in self._workers:
            worker.join(max(0.0, until_s - time.monotonic()))
        self._send_replies()

    def _refuse_waiting(self, jobs: queue.Queue[_Job | None]) -> None:
        problem = to_error_reply(UnavailableError("the server is stopping.", "Ask again in a moment."))
        while True:
            try:
                job = jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                self._send(job.peer, encode_reply(problem, job.envelope.request_id))

    def _wake(self) -> None:
        with self._wake_lock:  # reentrant: a signal handler may come here while this thread holds it
            if self._wake_in < 0:
                return  # a worker outlived its server
            try:
                os.write(self._wake_in, b"\0")
            except BlockingIOError:
                return  # the pipe is full of wake-ups already

    def _drain_wakes(self) -> None:
        try:
            os.read(self._wake_out, 65536)
        except BlockingIOError:
            return

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unexpected(request: Request, error: Exception) -> ErrorReply:
    """Log where it happened, never with what values: messages of foreign errors may hold private data."""
    where = "".join(traceback.format_tb(error.__traceback__))
    kind, verb = type(error).__name__, type(request).__name__
    _log.error("%s in %s\n%s", kind, verb, where)
    return ErrorReply(
        code="error", message=f"internal error in {verb} ({kind}).", next_step="Its log says where."
    )
