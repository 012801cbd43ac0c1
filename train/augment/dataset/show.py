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
from runtime.contract.errors import ContentError, PvchatError
from runtime.video import read_video
from train.augment.dataset.folder import INDEX, ROWS

_TILE, _TEXT_PX, _COLUMNS, _MOMENTS = (128, 96), 28, 4, 3
_PAPER, _INK, _DROPPED = 245, (30, 30, 30), (200, 40, 40)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw it; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m train.augment.dataset.show", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="a .png (default: FOLDER/sheet.png)")
    args = parser.parse_args(argv)
    try:
        line = _show(args.folder, args.out or args.folder / "sheet.png")
    except PvchatError as error:
        sys.stderr.write(f"train.augment.dataset.show: {error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(line) + "\n")
    return 0


def _show(folder: Path, out: Path) -> dict[str, Any]:
    try:
        clips = json.loads((folder / INDEX).read_text(encoding="utf-8"))["clips"]
        rows = (folder / ROWS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, KeyError) as error:
        raise ContentError(
            f"{folder} is no dataset: {error}.", "Make one: python -m train.augment.dataset --help."
        ) from error
    drawn = contact_sheet(folder, clips)
    _, raw = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    write_atomic(out, raw.tobytes())
    roles = Counter(one["role"] if one["kept"] else "dropped" for one in clips)
    return {"sheet": str(out), "clips": len(clips), "questions": len(rows), **dict(sorted(roles.items()))}


def contact_sheet(folder: Path, clips: Sequence[dict[str, Any]]) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) RGB: three moments of each clip, recipe, role and likeness; dropped ones in red."""
    width, height = _TILE[0] * _MOMENTS, _TILE[1] + _TEXT_PX
    lines = -(-len(clips) // _COLUMNS)
    sheet = np.full((height * lines, (width + 8) * _COLUMNS, 3), _PAPER, dtype=np.uint8)
    for number, clip in enumerate(clips):
        left, top = number % _COLUMNS * (width + 8), number // _COLUMNS * height
        frames = read_video(folder / clip["file"], fps=4.0).clip.frames
        for moment in range(_MOMENTS):
            frame = frames[round(moment * (len(frames) - 1) / (_MOMENTS - 1))]
            tile = cv2.resize(frame, _TILE, interpolation=cv2.INTER_AREA)
            x = left + moment * _TILE[0]
            sheet[top : top + _TILE[1], x : x + _TILE[0]] = tile
        ink = _INK if clip["kept"] else _DROPPED
        about = f"{clip['role']} {clip['likeness']:.2f} {clip['origin']}"
        for line, text in enumerate((clip["recipe"], about)):
            spot = (left + 2, top + _TILE[1] + 11 + 13 * line)
            cv2.putText(sheet, text[:60], spot, cv2.FONT_HERSHEY_SIMPLEX, 0.36, ink, 1, cv2.LINE_AA)
    return sheet


if __name__ == "__main__":
    sys.exit(main())
