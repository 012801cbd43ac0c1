"""`python -m device.idle_runtime`: keeps a runtime that a command started, and ends it when nobody uses it.

Knows no models. The runtime stops when its standard input ends, so it cannot outlive this process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from runtime.client import Client
from runtime.contract.errors import UnavailableError
from runtime.wire import Health, HealthReply

_HEALTH_MS = 5_000
_MAX_POLL_S = 15.0
_STOP_S = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Start the command, wait until it ends or is idle; returns its exit code, 0 after an idle end."""
    parser = argparse.ArgumentParser(prog="python -m device.idle_runtime", description=__doc__)
    parser.add_argument("--socket", required=True, help="endpoint that the command serves")
    parser.add_argument(
        "--idle-exit-s", type=float, required=True, help="end it after this time without work"
    )
    parser.add_argument("command", nargs="+", help="after --")
    arguments = parser.parse_args(argv)
    child = subprocess.Popen(arguments.command, stdin=subprocess.PIPE)
    try:
        return keep(child, arguments.socket, arguments.idle_exit_s)
    finally:
        if child.stdin is not None:
            child.stdin.close()
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def keep(child: subprocess.Popen[bytes], endpoint: str, idle_exit_s: float) -> int:
    """Return the child's exit code as soon as it has one, or 0 once it was idle for long enough."""
    poll_s = min(_MAX_POLL_S, idle_exit_s / 4)
    served, idle_s = -1, 0.0
    with Client(endpoint) as client:
        while idle_s < idle_exit_s:
            try:
                return child.wait(poll_s)
            except subprocess.TimeoutExpired:
                idle_s += poll_s
            now = _served(client)
            if now != served + 1:  # this look itself is one request
                idle_s = 0.0
            served = now
    return 0


def _served(client: Client) -> int:
    """Requests served so far; -1 while it starts or is too busy to say."""
    try:
        reply = client.call(Health(), _HEALTH_MS)
    except UnavailableError:
        return -1
    return reply.served + reply.failed + reply.queue if isinstance(reply, HealthReply) else -1


if __name__ == "__main__":
    sys.exit(main())
