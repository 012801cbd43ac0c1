"""Keeps the folder of evidence pictures small and young. Knows no answers."""

from __future__ import annotations

import time
from pathlib import Path


def prune_evidence(folder: Path, *, keep_s: float, max_files: int, now: float | None = None) -> int:
    """Delete pictures older than `keep_s`, and the oldest beyond `max_files`; how many were deleted.

    Args:
        now: POSIX seconds; None: the clock's.
    """
    at = time.time() if now is None else now
    pictures: list[tuple[float, Path]] = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                pictures.append((path.stat().st_mtime, path))
        except FileNotFoundError:
            continue  # deleted by somebody else meanwhile
    pictures.sort(reverse=True)
    doomed = [path for place, (made, path) in enumerate(pictures) if place >= max_files or at - made > keep_s]
    for path in doomed:
        path.unlink(missing_ok=True)
    return len(doomed)
