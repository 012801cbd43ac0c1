"""What each conversation was about last, for a while. Knows no questions' words, and writes nothing down."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from runtime.contract.dialogue import Intent

KEEP_S = 600.0
MOST = 256


class Conversations:
    """The last question about somebody by conversation id, the least recent dropped first. Safe from threads.

    Args:
        keep_s: a conversation that was silent for longer is over.
        most: never more conversations than this.
        clock: seconds, monotonic.
    """

    def __init__(
        self, *, keep_s: float = KEEP_S, most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keep_s, self._most, self._clock = keep_s, most, clock
        self._lock = threading.Lock()
        self._last: OrderedDict[str, tuple[float, Intent]] = OrderedDict()

    def new(self) -> str:
        """An id that nobody can guess."""
        return secrets.token_hex(8)

    def recall(self, conversation: str) -> Intent | None:
        """What was asked last; None: nothing, or too long ago."""
        with self._lock:
            last = self._last.get(conversation)
        return last[1] if last and self._clock() - last[0] <= self._keep_s else None

    def remember(self, conversation: str, intent: Intent) -> None:
        """A question about nobody in particular leaves what "she" means as it was."""
        if not intent.subject_ids:
            return
        with self._lock:
            self._last[conversation] = (self._clock(), intent)
            self._last.move_to_end(conversation)
            while len(self._last) > self._most:
                self._last.popitem(last=False)
