"""Answers kept beside a household's clips, so that a run that was stopped goes on. Knows no scores.

They count only for the bundle and the code that gave them: a key of both is written first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

import runtime
import train
from runtime.atomic import write_atomic
from train.evaluate.answers import Answers
from train.evaluate.folder import Household

_CODE = ("evaluate", "subject", "augment", "world", "model")


@dataclass(frozen=True, slots=True)
class _Kept:
    key: str
    answers: Answers


def answers_key(bundle_id: str, more: str = "") -> str:
    """Of a bundle, of the code that asks and answers, and of whatever else shapes an answer (`more`)."""
    digest = hashlib.sha256(f"{bundle_id} {more}".encode())
    workshop = Path(train.__file__).parent
    for folder in (Path(runtime.__file__).parent, *(workshop / name for name in _CODE)):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def read_kept(path: Path, key: str, home: Household) -> Answers | None:
    """What an earlier run was told about this household; None: nothing, or it came of something else."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept.answers if kept.key == key + _stamp(home) else None


def write_kept(path: Path, key: str, home: Household, answers: Answers) -> None:
    """Whole or not at all."""
    write_atomic(path, msgspec.json.encode(_Kept(key + _stamp(home), answers)))


def _stamp(home: Household) -> str:
    """Of the truth about a household and of the state of its videos."""
    digest = hashlib.sha256(repr(home).encode())
    for record in (*home.clips, *(member.reference for member in home.members)):
        state = record.video.stat()
        digest.update(f"{state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()
