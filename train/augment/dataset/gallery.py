"""Faces of a folder, embedded once and kept: an index that only looks at what is new. Knows no household.

The index is one file in the folder itself, so that it goes when the folder goes: embeddings are personal.
Every face of every picture is in it, so that a picture can be left out for anybody in it.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from runtime.atomic import write_atomic
from runtime.contract.errors import ContentError, PvchatError
from runtime.video import read_video
from train.augment.dataset.eyes import Eyes, tracks_of
from train.augment.dataset.people import stills

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
INDEX_NAME = "faces.index.npz"
SCHEMA = 1
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_VIDEOS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".mpg")
_LONGEST_S = 4.0
_MOST_PIXELS = 1280
_SAVE_EVERY_S = 60.0
_Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """The faces of one file.

    Attributes:
        stamp: bytes and time of change of the file, by which it is known again.
        embeddings: float32 (N, E), the best view of each person. frames: (N,). heads: float32 (N, 4), pixels.
    """

    stamp: _Stamp
    embeddings: Floats
    frames: Numbers
    heads: Floats


class Gallery:
    """An index over all faces of a folder.

    Attributes:
        root: the folder. names: of its files that show a face, relative to it.
        of: (N,) the file of each face, a place in `names`. embeddings: float32 (N, E).
    """

    def __init__(self, root: Path, seen: dict[str, Seen]) -> None:
        """Take over what was found; files without a face count for nothing."""
        self.root = root
        self.names = sorted(name for name, one in seen.items() if len(one.frames))
        faces = [seen[name] for name in self.names]
        self.of: Numbers = np.repeat(np.arange(len(faces)), [len(one.frames) for one in faces])
        self.embeddings: Floats = np.concatenate([one.embeddings for one in faces])
        self._frames = np.concatenate([one.frames for one in faces])
        self._heads = np.concatenate([one.heads for one in faces])
        self._index = NearestNeighbors(metric="euclidean").fit(self.embeddings)

    def nearest(self, template: Floats) -> Iterator[int]:
        """Faces by how alike they are to a unit embedding (E,), the most alike first, as far as asked."""
        told, count = 0, 64
        while told < len(self.of):
            count = min(4 * count, len(self.of))
            _, rows = self._index.kneighbors(template[None], n_neighbors=count)
            yield from (int(row) for row in rows[0][told:])
            told = count

    def picture(self, face: int) -> tuple[Frames, Floats]:
        """The frame uint8 (H, W, 3) that shows a face, and its head (4,).

        Raises:
            ContentError: the file is gone or changed.
        """
        path = self.root / self.names[self.of[face]]
        frames = read_frames(path)
        if self._frames[face] >= len(frames):
            raise ContentError(f"{path} has changed since it was indexed.", "Run it again.")
        return frames[self._frames[face]], self._heads[face]


def open_gallery(folder: Path, eyes: Eyes, progress: Callable[[int, int], None]) -> Gallery:
    """The index of a folder and its sub-folders, brought up to date: what is new or changed is looked at.

    What is done is kept every minute, so that a run that was stopped goes on where it was.

    Raises:
        ContentError: no folder, or no file in it shows a face. StoreError: the index cannot be written.
    """
    if not folder.is_dir():
        raise ContentError(f"{folder} is no folder.", "Name a folder of pictures of people.")
    index = folder / INDEX_NAME
    before = _read(index, eyes.encoder)
    wanted = {path.relative_to(folder).as_posix(): _stamp(path) for path in _files(folder)}
    seen = {name: one for name, one in before.items() if wanted.get(name) == one.stamp}
    missing = [name for name in wanted if name not in seen]
    saved_s = time.monotonic()
    for number, name in enumerate(missing, start=1):
        seen[name] = _look(folder / name, wanted[name], eyes)
        progress(number, len(missing))
        if time.monotonic() - saved_s > _SAVE_EVERY_S:
            _write(index, seen, eyes.encoder)
            saved_s = time.monotonic()
    if missing or len(seen) != len(before):
        _write(index, seen, eyes.encoder)
    if not any(len(one.frames) for one in seen.values()):
        raise ContentError(f"no file in {folder} shows a face.", "Name a folder of pictures of people.")
    return Gallery(folder, seen)


def read_frames(path: Path) -> Frames:
    """A picture as one frame, or the first seconds of a video, uint8 (T, H, W, 3).

    Raises:
        ContentError: it cannot be read.
    """
    if path.suffix.lower() in _VIDEOS:
        return read_video(path, fps=2.0, max_s=_LONGEST_S).clip.frames
    raw = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if raw is None:
        raise ContentError(f"{path} cannot be read as a picture.", "Leave it out.")
    scale = min(1.0, _MOST_PIXELS / max(raw.shape[:2]))
    if scale < 1:
        raw = cv2.resize(raw, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(raw[None, ..., ::-1])


def _files(folder: Path) -> list[Path]:
    kinds = (*_PICTURES, *_VIDEOS)
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds and path.is_file())


def _stamp(path: Path) -> _Stamp:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def _look(path: Path, stamp: _Stamp, eyes: Eyes) -> Seen:
    """Everybody in a file, one view each; a file that cannot be read shows nobody."""
    try:
        frames = read_frames(path)
    except PvchatError:
        return Seen(stamp, np.empty((0, 0), np.float32), np.empty(0, np.int64), np.empty((0, 4), np.float32))
    best = [stills(views, frames)[0].view for views in tracks_of(eyes, frames, 2.0)]
    return Seen(
        stamp,
        np.array([view.embedding for view in best], dtype=np.float32),
        np.array([view.frame for view in best], dtype=np.int64),
        np.array([view.head for view in best], dtype=np.float32).reshape(len(best), 4),
    )


def _write(path: Path, seen: dict[str, Seen], encoder: str) -> None:
    files = {name: [*one.stamp, len(one.frames)] for name, one in sorted(seen.items())}
    about = json.dumps({"schema": SCHEMA, "encoder": encoder, "files": files}).encode()
    shown = [seen[name] for name in files if len(seen[name].frames)]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        about=np.frombuffer(about, dtype=np.uint8),
        embeddings=_stacked([one.embeddings for one in shown]),
        frames=_stacked([one.frames for one in shown]),
        heads=_stacked([one.heads for one in shown]),
    )
    write_atomic(path, buffer.getvalue())


def _stacked(parts: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


def _read(path: Path, encoder: str) -> dict[str, Seen]:
    """What an index holds; nothing where it is missing, damaged, of another version or another encoder."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
            about = json.loads(data["about"].tobytes())
            arrays = [data[name] for name in ("embeddings", "frames", "heads")]
        if (about["schema"], about["encoder"]) != (SCHEMA, encoder):
            return {}
        counts = [count for *_, count in about["files"].values()]
        if not all(len(array) == sum(counts) and np.isfinite(array).all() for array in arrays):
            return {}
        parts = [np.split(array, np.cumsum(counts)[:-1]) for array in arrays]
        return {
            name: Seen((size, changed), *(part[place] for part in parts))
            for place, (name, (size, changed, _)) in enumerate(about["files"].items())
        }
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return {}
