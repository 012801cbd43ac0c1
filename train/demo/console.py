"""What the demo says while it goes: chapters and progress on stderr, results on stdout. Knows no product."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from train.progress import bar


class Console:
    """Counts chapters, and seconds from its making."""

    def __init__(self, chapters: int) -> None:
        self._began_s = time.monotonic()
        self._chapters = chapters
        self._chapter = 0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began_s

    def chapter(self, title: str) -> None:
        """The next chapter begins; the bar shows how far the demo is."""
        self._chapter += 1
        filled = "#" * self._chapter + "-" * (self._chapters - self._chapter)
        self._write(sys.stderr.write, f"\n[{filled}] {self.seconds:4.0f} s  {title}")

    def progress(self, label: str) -> Callable[[int, int], None]:
        """A bar within a chapter."""
        return bar(label)

    def note(self, text: str) -> None:
        """Something on the way."""
        self._write(sys.stderr.write, f"    {text}")

    def result(self, text: str) -> None:
        """Something that was wanted."""
        self._write(sys.stdout.write, text)

    def _write(self, write: Callable[[str], int], text: str) -> None:
        write(f"{text}\n")
        sys.stdout.flush()
        sys.stderr.flush()
