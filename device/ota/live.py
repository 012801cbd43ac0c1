"""The running daemon as an update sees it: reload what is installed, then watch whether it stays well.

Knows no repository and no store. Without a daemon there is nothing to reload and nothing to watch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from device.paths import Home
from runtime.client import Client
from runtime.contract.errors import BundleError, EngineError, PvchatError, UnavailableError
from runtime.wire import DaemonReload, DaemonStatus, DaemonStatusReply, Health, HealthReply

RELOAD_TIMEOUT_MS = 60_000
CALL_TIMEOUT_MS = 5_000
SETTLE_S = 30.0
WATCH_S = 3.0
_POLL_S = 0.25


class Live(Protocol):
    """What runs on the box while it is updated."""

    def running(self) -> bool:
        """Whether somebody is there to reload."""
        ...

    def reload(self, expected: Mapping[str, int]) -> None:
        """Load what the store says, then watch.

        Args:
            expected: releases by subject id that must be in use afterwards; others do not matter.

        Raises:
            UsageError: nothing was reloaded, because of the home's own configuration.
            PvchatError: it was not taken, or something went wrong while watching.
        """
        ...


class LiveBox:
    """The daemon and the runtime of this home, over their sockets."""

    def __init__(self, home: Home, *, watch_s: float = WATCH_S) -> None:
        self._home = home
        self._watch_s = watch_s

    def running(self) -> bool:
        """Whether a daemon answers and its runtime is not down."""
        if not self._home.socket_path("daemon").exists():
            return False
        try:
            return self._status().runtime != "down"
        except PvchatError:
            return False  # nobody to reload; what is installed is loaded when the daemon starts

    def reload(self, expected: Mapping[str, int]) -> None:
        """See `Live.reload`."""
        problem: BundleError | None = None
        try:
            with Client(self._home.daemon_endpoint) as daemon:
                daemon.call(DaemonReload(), RELOAD_TIMEOUT_MS)
        except BundleError as error:
            problem = error  # about somebody's adapter; whose, the status tells
        self._settle(expected, problem)
        self._watch()

    def _settle(self, expected: Mapping[str, int], problem: BundleError | None) -> None:
        until = time.monotonic() + SETTLE_S
        while True:
            status = self._status()
            if status.runtime == "ready" and expected.items() <= status.subjects.items():
                return
            if problem is not None:
                raise problem
            if time.monotonic() > until:
                raise UnavailableError(
                    f"the runtime is {status.runtime} and has not taken the new adapter in {SETTLE_S:.0f} s."
                )
            time.sleep(_POLL_S)

    def _watch(self) -> None:
        with Client(self._home.runtime_endpoint) as client:
            until = time.monotonic() + self._watch_s
            uptime_s = 0.0
            while True:
                reply = client.call(Health(), CALL_TIMEOUT_MS)
                if not isinstance(reply, HealthReply):
                    raise UnavailableError(f"the runtime answers Health with {type(reply).__name__}.")
                if reply.uptime_s < uptime_s:
                    raise EngineError("the runtime ended and was started again under the new adapter.")
                uptime_s = reply.uptime_s
                if time.monotonic() >= until:
                    return
                time.sleep(_POLL_S)

    def _status(self) -> DaemonStatusReply:
        with Client(self._home.daemon_endpoint) as daemon:
            reply = daemon.call(DaemonStatus(), CALL_TIMEOUT_MS)
        if not isinstance(reply, DaemonStatusReply):
            raise UnavailableError(f"the daemon answers DaemonStatus with {type(reply).__name__}.")
        return reply
