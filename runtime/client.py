"""Calls a server of the box and waits, never longer than told. Knows no models.

Every call has a socket of its own, so a late reply to an earlier call can never be taken for this one's, and
one client may be used by several threads. Nothing is sent twice: a caller that wants to try again does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import zmq

from runtime.calls import START_IT, Call, Peer
from runtime.contract.errors import DeadlineError, UnavailableError, WireError
from runtime.keys import ClientKeys
from runtime.wire import Hello, Ready, Reply, Request

_READY_POLL_S = 0.05


class Client:
    """Talks to one endpoint. Close it, or use it in a with statement."""

    def __init__(self, endpoint: str, *, keys: ClientKeys | None = None, next_step: str = START_IT) -> None:
        """Nothing is connected yet.

        Args:
            endpoint: ipc:// and an absolute path, or tcp:// with `keys`.
            next_step: what a user can do when nobody listens.

        Raises:
            ConfigError: a bad endpoint, or a network without keys.
        """
        self.endpoint = endpoint
        self._peer = Peer(endpoint, keys, next_step)
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
        call = Call(request, timeout_ms, self._peer.place)
        self._peer.probe()
        with self._context.socket(zmq.DEALER) as dealer, self._peer.connected(dealer) as refusals:
            dealer.send(call.raw)
            while True:
                if not dealer.poll(call.wait_ms()):
                    if refusals is not None:
                        refusals.check(self.endpoint)
                    continue
                reply = call.take(dealer.recv_multipart())
                if reply is not None:
                    return reply

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
