"""`python -m train.augment.dataset.show FOLDER`: the dataset as one picture. Makes no clip."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.atomic import write_atomic
from runtime.contract.errors import ContentError
from runtime.video import read_video
from train.augment.dataset.folder import INDEX, ROWS
from train.program import run_program

_TILE, _TEXT_PX, _COLUMNS, _MOMENTS, _GAP = (128, 96), 32, 4, 3, 8
_TITLE_PX, _HEADING_PX = 34, 30
_PAPER, _INK, _SOFT = (245, 245, 245), (30, 30, 30), (110, 110, 110)
_GREEN, _BLUE, _RED = (40, 130, 70), (50, 90, 170), (200, 40, 40)
_SECTIONS = (
    ("positive", "Shows the person", _GREEN),
    ("similar", "Somebody else: the most alike of a folder of faces", _BLUE),
    ("look_alike", "Somebody else: drawn look-alikes", _BLUE),
    ("random", "Somebody else: anybody", _BLUE),
    ("dropped", "Dropped: not like the person any more, in no question", _RED),
)
Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Clip = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Draw it; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m train.augment.dataset.show", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="a .png (default: FOLDER/sheet.png)")
    args = parser.parse_args(argv)
    return run_program(
        "train.augment.dataset.show", lambda: _show(args.folder, args.out or args.folder / "sheet.png")
    )


def _show(folder: Path, out: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        clips = index["clips"]
        rows = (folder / ROWS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, KeyError) as error:
        raise ContentError(
            f"{folder} is no dataset: {error}.", "Make one: python -m train.augment.dataset --help."
        ) from error
    who = index.get("subjects") or [index.get("subject", "a person")]
    drawn = contact_sheet(folder, clips, f"{' and '.join(who)}: {len(clips)} clips, {len(rows)} questions")
    _, raw = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    write_atomic(out, raw.tobytes())
    roles = Counter(one["role"] if one["kept"] else "dropped" for one in clips)
    return {"sheet": str(out), "clips": len(clips), "questions": len(rows), **dict(sorted(roles.items()))}


def contact_sheet(folder: Path, clips: Sequence[Clip], title: str) -> Picture:
    """uint8 (H, W, 3) RGB: the title, then a section for each part of a dataset that has clips.

    Of each clip three moments, as they are (nothing is stretched), its recipe, how alike it is to the person
    (1 for the same picture) and where it comes from.
    """
    width = (_TILE[0] * _MOMENTS + _GAP) * _COLUMNS
    head = _blank(_TITLE_PX, width)
    _write(head, title, (_GAP, 23), 0.6, _INK)
    parts = [head]
    for name, heading, colour in _SECTIONS:
        mine = [clip for clip in clips if _section(clip) == name]
        if mine:
            parts.append(_heading(f"{heading} ({len(mine)})", colour, width))
        for start in range(0, len(mine), _COLUMNS):
            cells = [_cell(folder, clip) for clip in mine[start : start + _COLUMNS]]
            row = np.concatenate(cells, axis=1)
            parts.append(np.concatenate([row, _blank(row.shape[0], width - row.shape[1])], axis=1))
    return np.concatenate(parts)


def _section(clip: Clip) -> str:
    return str(clip["role"]) if clip["kept"] else "dropped"


def _heading(text: str, colour: Colour, width: int) -> Picture:
    strip = _blank(_HEADING_PX, width)
    strip[6:-6, : _GAP // 2] = colour
    _write(strip, text, (_GAP + 2, 20), 0.45, colour)
    return strip


def _cell(folder: Path, clip: Clip) -> Picture:
    """Three moments of a clip, and two lines under them."""
    frames = read_video(folder / clip["file"], fps=4.0).clip.frames
    cell = _blank(_TILE[1] + _TEXT_PX, _TILE[0] * _MOMENTS + _GAP)
    for moment in range(_MOMENTS):
        frame = frames[round(moment * (len(frames) - 1) / (_MOMENTS - 1))]
        scale = min(_TILE[0] / frame.shape[1], _TILE[1] / frame.shape[0])
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        left = moment * _TILE[0] + (_TILE[0] - size[0]) // 2
        top = (_TILE[1] - size[1]) // 2
        cell[top : top + size[1], left : left + size[0]] = cv2.resize(
            frame, size, interpolation=cv2.INTER_AREA
        )
    seen = "not seen" if clip["likeness"] < 0 else f"alike {clip['likeness']:.2f}"
    ink = _INK if clip["kept"] else _RED
    _write(cell, _short(clip["recipe"]), (2, _TILE[1] + 12), 0.36, ink)
    _write(cell, _short(f"{seen}, {clip['origin'] or 'nobody of them'}"), (2, _TILE[1] + 25), 0.36, _SOFT)
    return cell


def _short(text: str, most: int = 58) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _blank(height: int, width: int) -> Picture:
    return np.full((height, width, 3), _PAPER, dtype=np.uint8)


def _write(picture: Picture, text: str, spot: tuple[int, int], size: float, ink: Colour) -> None:
    plain = text.encode("ascii", "replace").decode()  # the font has no other letters
    cv2.putText(picture, plain, spot, cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)


if __name__ == "__main__":
    sys.exit(main())
