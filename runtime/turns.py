"""One at a time, in the order in which they came. Knows nothing of what is done in a turn.

A plain lock may be taken again and again by the thread that has just left it; here who waits is next.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.contract.errors import DeadlineError


class Turns:
    """A fair lock. Safe from any thread; a turn inside a turn of the same thread waits for itself."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()  # the first one has its turn

    @contextmanager
    def turn(self, left_s: float) -> Iterator[None]:
        """Wait for a turn; it ends with the block.

        Raises:
            DeadlineError: it does not come within `left_s` seconds.
        """
        me = object()
        with self._changed:
            self._queue.append(me)
            if not self._changed.wait_for(lambda: self._queue[0] is me, max(0.0, left_s)):
                self._queue.remove(me)
                raise DeadlineError("the model was busy until the deadline.", "Try again with more time.")
        try:
            yield
        finally:
            with self._changed:
                self._queue.popleft()
                self._changed.notify_all()
