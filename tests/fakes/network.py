"""Addresses for tests that listen. Knows no keys."""

from __future__ import annotations

import socket


def free_endpoint() -> str:
    """A tcp:// address of this machine at which nobody listened a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
