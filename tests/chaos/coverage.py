"""Which lines of some files ran, in which order, in whatever thread. Knows no inputs.

On `sys.settrace`, which every Python that the project runs on has; lines of C are not seen.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any


class Coverage:
    """Steps from line to line of the watched modules since the last `take`. Safe from any thread."""

    def __init__(self, modules: tuple[ModuleType, ...]) -> None:
        self._files = {str(Path(str(module.__file__))): number for number, module in enumerate(modules)}
        self._steps: set[tuple[int, int, int]] = set()

    def take(self) -> set[tuple[int, int, int]]:
        """(file, line before, line) of each step; the line before is 0 at the start of a function."""
        steps, self._steps = self._steps, set()
        return steps

    @contextmanager
    def watching(self) -> Iterator[None]:
        """This thread, and every thread that is started inside."""
        before = sys.gettrace()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)
            threading.settrace(before)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        file = self._files.get(frame.f_code.co_filename)
        if file is None:
            return None
        last = 0

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            if event == "line":
                self._steps.add((file, last, frame.f_lineno))
                last = frame.f_lineno
            return step

        return step
