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
from contextlib import nullcontext

import zmq

from runtime.address import is_network, network_address, socket_path
from runtime.contract.errors import ConfigError, DeadlineError, UnavailableError, WireError
from runtime.guard import Refusals, present
from runtime.keys import ClientKeys
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

    def __init__(
        self,
        endpoint: str,
        *,
        keys: ClientKeys | None = None,
        next_step: str = "Start it with `pvchat-edge daemon`.",
    ) -> None:
        """Nothing is connected yet.

        Args:
            endpoint: ipc:// and an absolute path, or tcp:// with `keys`.
            next_step: what a user can do when nobody listens.

        Raises:
            ConfigError: a bad endpoint, or a network without keys.
        """
        self.endpoint = endpoint
        self._keys = keys
        self._place = _place(endpoint)
        if keys is None and is_network(endpoint):
            raise ConfigError(f"{endpoint} needs keys.", "See `pvchat-edge keys show`.")
        self._next_step = next_step
        self._context = zmq.Context(io_threads=1)

    def call(self, request: Request, timeout_ms: int) -> Reply:
        """Send a request and wait for its reply.

        Args:
            timeout_ms: 1 to 600000; travels along, so that the server drops what nobody waits for.

        Raises:
            DeadlineError: no reply in time. UnavailableError: nobody listens there.
            AccessError: the server does not let this key in, or is not the one whose key is known.
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
            if self._keys is not None:
                present(dealer, self._keys)
            with Refusals(dealer) if self._keys else nullcontext() as refusals:
                dealer.connect(self.endpoint)
                dealer.send(raw)
                verb = type(request).__name__
                reply = self._wait(dealer, refusals, request_id, until_s, verb, timeout_ms)
        if isinstance(reply, ErrorReply):
            raise to_error(reply)
        return reply

    def _wait(
        self, dealer: zmq.Socket[bytes], refusals: Refusals | None, request_id: bytes, until_s: float,
        verb: str, timeout_ms: int,
    ) -> Reply:  # fmt: skip
        while True:
            left_ms = (until_s - time.monotonic()) * 1000
            if left_ms > 0 and not dealer.poll(min(_LOOK_UP_MS, max(1, int(left_ms)))):
                if refusals is not None:
                    refusals.check(self.endpoint)
                continue
            if left_ms <= 0:
                raise DeadlineError(
                    f"no answer to {verb} within {timeout_ms} ms from {self._place}.",
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
            if is_network(self.endpoint):
                socket.create_connection(network_address(self.endpoint), _PROBE_S).close()
                return
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(_PROBE_S)
                probe.connect(os.fspath(socket_path(self.endpoint)))
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ETIMEDOUT) or isinstance(error, TimeoutError):
                return  # somebody listens and is busy: the deadline decides
            why = error.strerror or error
            raise UnavailableError(f"nobody listens at {self._place} ({why}).", self._next_step) from error

    def close(self) -> None:
        """Twice is fine."""
        self._context.destroy(linger=0)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _place(endpoint: str) -> str:
    """An endpoint as messages name it; raises `ConfigError` for a bad one."""
    if is_network(endpoint):
        network_address(endpoint)
        return endpoint
    return str(socket_path(endpoint))


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
