"""Calls a server of the box and waits, never longer than told. Knows no models.

Every call has a socket of its own, so a late reply to an earlier call can never be taken for this one's, and
one client may be used by several threads. Nothing is sent twice: a caller that wants to try again does.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable

import zmq

from runtime.address import socket_path
from runtime.contract.errors import DeadlineError, UnavailableError, WireError
from runtime.wire import (
    MAX_MESSAGE_BYTES,
    REQUEST_ID_BYTES,
    ErrorReply,
    Hello,
    Ready,
    Reply,
    Request,
    decode_reply,
    encode_request,
    to_error,
)

_HIGH_WATER = 64
_PROBE_S = 1.0
_READY_POLL_S = 0.05
_LOOK_UP_MS = 200
"""A signal that comes right before a wait is noticed only after it, so no wait is longer than this."""


class Client:
    """Talks to one endpoint. Close it, or use it in a with statement."""

    def __init__(self, endpoint: str, *, next_step: str = "Start it with `pvchat-edge daemon`.") -> None:
        """Nothing is connected yet.

        Args:
            next_step: what a user can do when nobody listens.

        Raises:
            ConfigError: a bad endpoint.
        """
        self.endpoint = endpoint
        self._path = socket_path(endpoint)
        self._next_step = next_step
        self._context = zmq.Context(io_threads=1)

    def call(self, request: Request, timeout_ms: int) -> Reply:
        """Send a request and wait for its reply.

        Args:
            timeout_ms: 1 to 600000; travels along, so that the server drops what nobody waits for.

        Raises:
            DeadlineError: no reply in time. UnavailableError: nobody listens there.
            WireError: a reply that breaks the protocol.
            PvchatError: whatever the server raised, as the same class.
        """
        until_s = time.monotonic() + timeout_ms / 1000
        request_id = os.urandom(REQUEST_ID_BYTES)
        raw = encode_request(request, request_id, timeout_ms)
        self._probe()
        with self._context.socket(zmq.DEALER) as dealer:
            for option, value in (
                (zmq.LINGER, 0),
                (zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES),
                (zmq.SNDHWM, _HIGH_WATER),
                (zmq.RCVHWM, _HIGH_WATER),
            ):
                dealer.setsockopt(option, value)
            dealer.connect(self.endpoint)
            dealer.send(raw)
            reply = self._wait(dealer, request_id, until_s, type(request).__name__, timeout_ms)
        if isinstance(reply, ErrorReply):
            raise to_error(reply)
        return reply

    def _wait(
        self, dealer: zmq.Socket[bytes], request_id: bytes, until_s: float, verb: str, timeout_ms: int
    ) -> Reply:
        while True:
            left_ms = (until_s - time.monotonic()) * 1000
            if left_ms > 0 and not dealer.poll(min(_LOOK_UP_MS, max(1, int(left_ms)))):
                continue
            if left_ms <= 0:
                raise DeadlineError(
                    f"no answer to {verb} within {timeout_ms} ms from {self._path.name}.",
                    "Try again with more time, or see `pvchat-edge doctor`.",
                )
            parts = dealer.recv_multipart()
            if len(parts) != 1:
                raise WireError(f"reply has {len(parts)} parts, expected 1.", "Update both sides.")
            envelope, reply = decode_reply(parts[0])
            if envelope.request_id == request_id:
                return reply

    def _probe(self) -> None:
        """Fail at once when no process listens, instead of waiting out the deadline."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(_PROBE_S)
                probe.connect(os.fspath(self._path))
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ETIMEDOUT) or isinstance(error, TimeoutError):
                return  # somebody listens and is busy: the deadline decides
            raise UnavailableError(
                f"nobody listens at {self._path} ({error.strerror}).", self._next_step
            ) from error

    def close(self) -> None:
        """Twice is fine."""
        self._context.destroy(linger=0)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wait_until_ready(client: Client, timeout_ms: int, alive: Callable[[], bool] = lambda: True) -> Ready:
    """Wait for a runtime that was just started.

    Args:
        alive: False as soon as its process has ended.

    Raises:
        UnavailableError: the process ended. DeadlineError: it is not ready in time.
        WireError: something else than a runtime answers.
    """
    until_s = time.monotonic() + timeout_ms / 1000
    while True:
        left_ms = int((until_s - time.monotonic()) * 1000)
        if left_ms <= 0:
            raise DeadlineError(f"the runtime is not ready after {timeout_ms} ms.", "See its log.")
        try:
            reply = client.call(Hello(), min(left_ms, 1000))
        except UnavailableError as error:
            if isinstance(error, WireError):
                raise
            if not alive():
                raise UnavailableError("the runtime ended while starting.", "See its log.") from error
            time.sleep(_READY_POLL_S)
            continue
        if not isinstance(reply, Ready):
            raise WireError(f"{client.endpoint} is no runtime: it says {type(reply).__name__}.")
        return reply
