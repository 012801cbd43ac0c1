"""Keeps everybody whose key is not on the list away from a socket (CURVE, ZAP), and tells a client that was
kept away. Knows no messages.

CURVE alone encrypts and proves who the server is; who the client is, only a ZAP handler asks. It is asked at
the handshake, and again for every message, because a connection outlives the revocation of its key.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

import zmq

from runtime.contract.errors import AccessError
from runtime.keys import ClientKeys, ServerKeys

_DOMAIN = "pvchat"
_UNKNOWN_KEY = zmq.Event.HANDSHAKE_FAILED_AUTH
_NO_HANDSHAKE = zmq.Event.HANDSHAKE_FAILED_NO_DETAIL | zmq.Event.HANDSHAKE_FAILED_PROTOCOL


class Guard:
    """In front of one server socket; make it before the socket is bound."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: ServerKeys) -> None:
        from zmq.auth.thread import ThreadAuthenticator  # brings asyncio, which a client never needs

        self._keys = keys
        self._zap = ThreadAuthenticator(context, log=logging.getLogger(__name__))
        self._zap.start()
        self._zap.configure_curve_callback(_DOMAIN, self)

    def callback(self, domain: str, key: bytes) -> bool:
        """What the ZAP handler asks: whether this public key (Z85) may enter."""
        return self._keys.allowed.lets_in(key.decode("ascii"))

    def protect(self, server: zmq.Socket[bytes]) -> None:
        """Let a socket talk CURVE only; without its ZAP handler it refuses everybody."""
        server.curve_server = True
        server.curve_publickey = self._keys.pair.public.encode("ascii")
        server.curve_secretkey = self._keys.pair.secret.encode("ascii")
        server.zap_domain = _DOMAIN.encode("ascii")
        server.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def admits(self, message: zmq.Frame) -> bool:
        """Whether the sender's key is still on the list."""
        return self._keys.allowed.lets_in(str(message.get("User-Id")))

    def close(self) -> None:
        """End the ZAP handler; after the socket is closed."""
        self._zap.stop()


def present(client: zmq.Socket[Any], keys: ClientKeys) -> None:
    """Let a client's socket show its key, and believe one server alone."""
    client.curve_serverkey = keys.server.encode("ascii")
    client.curve_publickey = keys.pair.public.encode("ascii")
    client.curve_secretkey = keys.pair.secret.encode("ascii")


class Refusals:
    """Watches a client's socket for CURVE handshakes that fail; a with statement ends it."""

    def __init__(self, client: zmq.Socket[Any]) -> None:
        """Watch from now on, so before the socket connects."""
        self._client = client
        where = f"inproc://refusals-{id(self)}"
        client.monitor(where, _UNKNOWN_KEY | _NO_HANDSHAKE)
        plain: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(client.context.underlying)
        self._events = plain.socket(zmq.PAIR)  # never awaited, whatever kind of socket the client is
        self._events.connect(where)

    def check(self, endpoint: str) -> None:
        """Raise if the server has hung up.

        Raises:
            AccessError: it does not let this key in, or it is another server than the one whose key is known.
        """
        if not self._events.poll(0):
            return
        from zmq.utils.monitor import recv_monitor_message

        if recv_monitor_message(self._events)["event"] == _UNKNOWN_KEY:
            raise AccessError(
                f"{endpoint} does not let this key in.", "Its owner allows it with `pvchat-edge keys allow`."
            )
        raise AccessError(
            f"{endpoint} does not prove to be the box whose key is known here.",
            "Compare the key with `pvchat-edge keys show` on the box.",
        )

    def __enter__(self) -> Refusals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disable_monitor()
        self._events.close()
