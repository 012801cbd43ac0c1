"""A real server on a real socket, with a handler of the test's, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runtime.router import Handler, Server


@contextmanager
def served(endpoint: str, handler: Handler, **options: Any) -> Iterator[Server]:
    """The server, until the block ends; it must stop when it is told to."""
    with Server(endpoint, handler, **options) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(timeout=20)
        assert not thread.is_alive()
