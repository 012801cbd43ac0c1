"""`runtime.client` for event loops: the same calls, awaited. Knows no models and no HTTP.

Every call has a socket of its own, so any number of tasks may share one client; a task that is cancelled
leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import time

import zmq
import zmq.asyncio

from runtime.calls import START_IT, Call, Peer
from runtime.contract.errors import DeadlineError, UnavailableError, WireError
from runtime.keys import ClientKeys
from runtime.wire import Hello, Ready, Reply, Request

_READY_POLL_S = 0.05


class AsyncClient:
    """Talks to one endpoint from one event loop at a time. Close it, or use it in an async with statement."""

    def __init__(self, endpoint: str, *, keys: ClientKeys | None = None, next_step: str = START_IT) -> None:
        """Nothing is connected yet; arguments and errors as for `runtime.client.Client`."""
        self.endpoint = endpoint
        self._peer = Peer(endpoint, keys, next_step)
        self._context = zmq.asyncio.Context(io_threads=1)

    async def call(self, request: Request, timeout_ms: int) -> Reply:
        """Send a request and wait for its reply; arguments and errors as for `runtime.client.Client.call`."""
        call = Call(request, timeout_ms, self._peer.place)
        await asyncio.to_thread(self._peer.probe)
        with self._context.socket(zmq.DEALER) as dealer, self._peer.connected(dealer) as refusals:
            await dealer.send(call.raw)
            while True:
                if not await dealer.poll(call.wait_ms()):
                    if refusals is not None:
                        refusals.check(self.endpoint)
                    continue
                reply = call.take(await dealer.recv_multipart())
                if reply is not None:
                    return reply

    async def wait_until_ready(self, timeout_ms: int) -> Ready:
        """Wait for a runtime that was just started.

        Raises:
            DeadlineError: it is not ready in time. WireError: something else than a runtime answers.
        """
        until_s = time.monotonic() + timeout_ms / 1000
        while (left_ms := int((until_s - time.monotonic()) * 1000)) > 0:
            try:
                reply = await self.call(Hello(), min(left_ms, 1000))
            except WireError:
                raise
            except UnavailableError:
                await asyncio.sleep(_READY_POLL_S)
                continue
            if not isinstance(reply, Ready):
                raise WireError(f"{self.endpoint} is no runtime: it says {type(reply).__name__}.")
            return reply
        raise DeadlineError(f"the runtime is not ready after {timeout_ms} ms.", "See its log.")

    def close(self) -> None:
        """Twice is fine."""
        self._context.destroy(linger=0)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
