"""Keeps the folder of evidence pictures small and young. Knows no answers."""

from __future__ import annotations

import time
from pathlib import Path

from runtime.sightings import SIGHTING_SUFFIX


def prune_evidence(folder: Path, *, keep_s: float, max_files: int, now: float | None = None) -> int:
    """Delete pictures older than `keep_s`, and the oldest beyond `max_files`; how many were deleted.

    What was seen of somebody goes with the picture that shows it.

    Args:
        now: POSIX seconds; None: the clock's.
    """
    at = time.time() if now is None else now
    made: dict[Path, float] = {}
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                made[path] = path.stat().st_mtime
        except FileNotFoundError:
            continue  # deleted by somebody else meanwhile
    pictures = sorted((path for path in made if path.suffix != SIGHTING_SUFFIX), key=lambda path: -made[path])
    doomed = [path for place, path in enumerate(pictures) if place >= max_files or at - made[path] > keep_s]
    left = set(pictures) - set(doomed)
    seen = [path for path in made if path.suffix == SIGHTING_SUFFIX]
    lonely = [path for path in seen if path.with_suffix(".jpg") not in left]
    for path in [*doomed, *lonely]:
        path.unlink(missing_ok=True)
    return len(doomed)
