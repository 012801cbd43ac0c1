"""One seed's answers in a small file, so that seeds can be asked on different days. Knows no scores.

A seed counts only for the bundle, the settings and the code that gave it, as a household's answers do.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runtime.atomic import write_atomic
from train.evaluate.score import Seed


@dataclass(frozen=True, slots=True)
class _Saved:
    key: str
    seed: Seed


def saved_path(folder: Path, number: int) -> Path:
    """Where the answers of a seed are."""
    return folder / f"seed-{number}.json.gz"


def read_saved(path: Path, key: str) -> Seed | None:
    """A seed; None: there is none, or it came of something else."""
    try:
        saved = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=_Saved)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError):
        return None
    return saved.seed if saved.key == key else None


def write_saved(path: Path, key: str, seed: Seed) -> None:
    """Whole or not at all; the same seed is the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, gzip.compress(msgspec.json.encode(_Saved(key, seed)), mtime=0))
