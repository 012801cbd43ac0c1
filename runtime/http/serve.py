"""Listens at an address until SIGTERM or Ctrl-C. Knows no routes and no home."""

from __future__ import annotations

import signal
import socket

import uvicorn
from starlette.types import ASGIApp

from runtime.contract.errors import ConfigError, UnavailableError
from runtime.http.settings import HttpConfig

_BACKLOG = 64
_MAX_CONNECTIONS = 64
_MAX_HEADER_BYTES = 16 << 10
_GRACE_S = 5


def listen(config: HttpConfig) -> socket.socket:
    """A bound socket.

    Raises:
        ConfigError: no such address here. UnavailableError: the port is taken.
    """
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        server = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(
            f"{config.host} is no address: {error.strerror}.", "Check host under [http]."
        ) from error
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        where = f"{config.host}:{config.port}"
        if isinstance(error, PermissionError) or config.port == 0:
            raise ConfigError(
                f"cannot listen at {where}: {error.strerror}.", "Choose another port."
            ) from error
        raise UnavailableError(
            f"cannot listen at {where}: {error.strerror}.", "Stop what listens there, or choose another port."
        ) from error
    return server


def address_of(server: socket.socket) -> str:
    """The address as a browser takes it."""
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """uvicorn with bounds, without a log of its own: the access log is the application's."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
        limit_concurrency=_MAX_CONNECTIONS,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return uvicorn.Server(config)


def serve(app: ASGIApp, server: socket.socket) -> None:
    """Serve until a signal; begun answers have five seconds to end."""
    program = make_server(app)

    def stop(*_: object) -> None:
        program.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)  # uvicorn takes its own, and raises the signal again for these at the end
    program.run(sockets=[server])
