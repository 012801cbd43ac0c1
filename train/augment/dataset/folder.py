"""A dataset's folder: clips, questions, index, datasheet. Knows no models.

Rerunning makes only what is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.atomic import write_atomic
from runtime.contract.errors import ContentError
from train.augment.vary.shot import Shot
from train.world.files import write_video

INDEX, ROWS, SHEET, CLIPS = "index.json", "qa.jsonl", "DATASHEET.md", "clips"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Made:
    """One clip of the dataset.

    Attributes:
        file: relative to the folder; sha256: of its bytes.
        recipe: how it was made; origin: the source's name, or who else is shown.
        role: `positive` shows the person; `similar`, `look_alike` and `random` show somebody else.
        likeness: to the person, 1 for the same picture; kept: whether it is in the questions.
    """

    file: str
    sha256: str
    recipe: str
    origin: str
    role: Literal["positive", "similar", "look_alike", "random"]
    likeness: float
    kept: bool


class Folder:
    """Clips by the key of what they are made from: the same key is never made twice."""

    def __init__(self, root: Path) -> None:
        """Open or make it.

        Raises:
            ContentError: the folder holds something else.
        """
        self.root = root
        (root / CLIPS).mkdir(parents=True, exist_ok=True)
        self._known: dict[str, dict[str, Any]] = {}
        index = root / INDEX
        if index.exists():
            try:
                data = json.loads(index.read_text(encoding="utf-8"))
                known = {one["file"]: one for one in data["clips"]} if data["schema"] == SCHEMA else {}
            except (ValueError, KeyError, TypeError) as error:
                raise ContentError(f"{index} is no index of a dataset.", "Name another --out.") from error
            self._known = known
        self._made: list[Made] = []

    def clip(
        self, key: Sequence[str], make: Callable[[], tuple[Shot, float]], keep: Callable[[float], bool],
        *, recipe: str, origin: str, role: Literal["positive", "similar", "look_alike", "random"],
    ) -> Made:  # fmt: skip
        """The clip of this key: the one that is there, if its bytes are what the index says, or a new one."""
        name = f"{CLIPS}/{hashlib.sha256(chr(0).join(key).encode()).hexdigest()[:16]}.mp4"
        path, known = self.root / name, self._known.get(name)
        if known is not None and path.exists() and _sha256(path) == known["sha256"]:
            likeness = float(known["likeness"])
        else:
            shot, likeness = make()
            temporary = path.with_suffix(".part.mp4")
            frames = shot.frames[:, : shot.size[1] // 2 * 2, : shot.size[0] // 2 * 2]
            write_video(temporary, frames, shot.fps)
            temporary.replace(path)
        likeness = round(likeness, 4)
        made = Made(name, _sha256(path), recipe, origin, role, likeness, keep(likeness))
        self._made.append(made)
        return made

    def finish(self, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], sheet: str) -> None:
        """Write questions, datasheet and, last, the index; delete clips that belong to nothing any more."""
        lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
        write_atomic(self.root / ROWS, lines.encode())
        write_atomic(self.root / SHEET, sheet.encode())
        index = {
            "schema": SCHEMA,
            **about,
            "files": {name: _sha256(self.root / name) for name in (ROWS, SHEET)},
            "clips": [asdict(one) for one in self._made],
        }
        write_atomic(self.root / INDEX, (json.dumps(index, indent=1, sort_keys=True) + "\n").encode())
        named = {one.file for one in self._made}
        for path in (self.root / CLIPS).iterdir():
            if f"{CLIPS}/{path.name}" not in named:
                path.unlink()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
