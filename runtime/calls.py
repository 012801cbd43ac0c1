"""One call as its caller sees it: whom it goes to, what is sent, and what is taken for its reply.

What the two clients share. Knows no waiting: `runtime.client` waits in a thread, `runtime.async_client` in an
event loop.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import zmq

from runtime.address import is_network, network_address, socket_path
from runtime.contract.errors import ConfigError, DeadlineError, UnavailableError, WireError
from runtime.guard import Refusals, present
from runtime.keys import ClientKeys
from runtime.wire import (
    MAX_MESSAGE_BYTES,
    REQUEST_ID_BYTES,
    ErrorReply,
    Reply,
    Request,
    decode_reply,
    encode_request,
    to_error,
)

START_IT = "Start it with `pvchat-edge daemon`."
_HIGH_WATER = 64
_PROBE_S = 1.0
_LOOK_UP_MS = 200
"""A signal that comes right before a wait is noticed only after it, so no wait is longer than this."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The server that is called.

    Attributes:
        endpoint: ipc:// and an absolute path, or tcp:// with `keys`.
        next_step: what a user can do when nobody listens.
    """

    endpoint: str
    keys: ClientKeys | None = None
    next_step: str = START_IT

    def __post_init__(self) -> None:
        """Raises `ConfigError`: a bad endpoint, or a network without keys."""
        if not is_network(self.endpoint):
            socket_path(self.endpoint)
            return
        network_address(self.endpoint)
        if self.keys is None:
            raise ConfigError(f"{self.endpoint} needs keys.", "See `pvchat-edge keys show`.")

    @property
    def place(self) -> str:
        """The endpoint as messages name it."""
        return self.endpoint if is_network(self.endpoint) else str(socket_path(self.endpoint))

    def probe(self) -> None:
        """Fail at once when no process listens, instead of waiting out the deadline; takes a second at most.

        Raises:
            UnavailableError: nobody listens.
        """
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
            raise UnavailableError(f"nobody listens at {self.place} ({why}).", self.next_step) from error

    @contextmanager
    def connected(self, dealer: zmq.Socket[Any]) -> Iterator[Refusals | None]:
        """A fresh DEALER, made ready and connected; what watches for a refused key, where keys are used."""
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES),
            (zmq.SNDHWM, _HIGH_WATER),
            (zmq.RCVHWM, _HIGH_WATER),
        ):
            dealer.setsockopt(option, value)
        if self.keys is None:
            dealer.connect(self.endpoint)
            yield None
            return
        present(dealer, self.keys)
        with Refusals(dealer) as refusals:
            dealer.connect(self.endpoint)
            yield refusals


class Call:
    """One request on its way, and the time that is left for its reply."""

    def __init__(self, request: Request, timeout_ms: int, place: str) -> None:
        """The clock runs from now on.

        Raises:
            WireError: a deadline out of 1..600000, or more than 1 MiB.
        """
        self._until_s = time.monotonic() + timeout_ms / 1000
        self._id = os.urandom(REQUEST_ID_BYTES)
        self._verb = type(request).__name__
        self._timeout_ms = timeout_ms
        self._place = place
        self.raw = encode_request(request, self._id, timeout_ms)

    def wait_ms(self) -> int:
        """How long to wait for the reply before looking up, at least 1.

        Raises:
            DeadlineError: no time is left.
        """
        left_ms = (self._until_s - time.monotonic()) * 1000
        if left_ms <= 0:
            raise DeadlineError(
                f"no answer to {self._verb} within {self._timeout_ms} ms from {self._place}.",
                "Try again with more time, or see `pvchat-edge doctor`.",
            )
        return min(_LOOK_UP_MS, max(1, int(left_ms)))

    def take(self, parts: Sequence[bytes]) -> Reply | None:
        """The reply, or None for the late reply to another call.

        Raises:
            WireError: it breaks the protocol. PvchatError: whatever the server raised, as the same class.
        """
        if len(parts) != 1:
            raise WireError(f"reply has {len(parts)} parts, expected 1.", "Update both sides.")
        envelope, reply = decode_reply(parts[0])
        if envelope.request_id != self._id:
            return None
        if isinstance(reply, ErrorReply):
            raise to_error(reply)
        return reply
