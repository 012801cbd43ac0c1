"""What the command line asks the daemon. Knows no cameras and no models: one socket, one call each."""

from __future__ import annotations

from collections.abc import Sequence

from device.config import Network
from device.paths import Home
from device.store.records import ActiveAdapter
from runtime.calls import START_IT
from runtime.client import Client
from runtime.contract.errors import PvchatError, UnavailableError, WireError
from runtime.keys import ClientKeys, ensure_key
from runtime.wire import AnswerReply, DaemonAsk, DaemonReload, DaemonStatus, DaemonStatusReply

_STATUS_MS = 3_000
_RELOAD_MS = 60_000


def ask_daemon(home: Home, network: Network, question: DaemonAsk, timeout_ms: int) -> AnswerReply:
    """A question about the rooms; raises whatever the daemon raised, `UnavailableError` when none runs."""
    with _daemon(home, network) as client:
        reply = client.call(question, timeout_ms)
    if not isinstance(reply, AnswerReply):
        raise WireError(f"the daemon answered {type(reply).__name__} to a question.", "Update both sides.")
    return reply


def _daemon(home: Home, network: Network) -> Client:
    """The daemon of this home, or of the box that the settings name."""
    endpoint, keys, next_step = daemon_address(home, network)
    return Client(endpoint, keys=keys, next_step=next_step)


def daemon_address(home: Home, network: Network) -> tuple[str, ClientKeys | None, str]:
    """Where the daemon listens that is asked here, with which keys, and what helps when it does not."""
    if not network.box:
        return home.daemon_endpoint, None, START_IT
    keys = ClientKeys(ensure_key(home.create().key_file), network.box_key)
    return network.box, keys, "Is the box on, and its daemon running?"


def daemon_status(home: Home, network: Network | None = None) -> DaemonStatusReply:
    """The daemon at a glance; with `network`, that of the box that the settings name.

    Raises:
        UnavailableError: none runs.
    """
    with _daemon(home, network or Network()) as client:
        reply = client.call(DaemonStatus(), _STATUS_MS)
    if not isinstance(reply, DaemonStatusReply):
        raise WireError(f"the daemon answered {type(reply).__name__} to a status.", "Update both sides.")
    return reply


def announce(home: Home, adapters: Sequence[ActiveAdapter]) -> list[str]:
    """Tell the daemon, or the runtime alone where no daemon runs, that people or adapters have changed.

    Returns:
        What went wrong, a line each: the change itself is stored already, so it is no error of the command.
    """
    try:
        if not reload_daemon(home):
            from device.runtime_process import reload_if_running  # what only asks needs none of it

            reload_if_running(home, adapters)
    except PvchatError as error:
        return [f"Stored, but not yet in use: {error}"]
    return []


def reload_daemon(home: Home) -> bool:
    """Let the daemon read store, settings and bundle again; False when none runs.

    Raises:
        PvchatError: why it has not; it goes on with what it had.
    """
    try:
        daemon_status(home)
    except WireError:
        raise
    except UnavailableError:
        return False
    with Client(home.daemon_endpoint) as client:
        client.call(DaemonReload(), _RELOAD_MS)
    return True
