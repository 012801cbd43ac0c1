"""Reads the JSON of the public PVChat release. Knows no clips' contents.

`{"videos": [{"video_name", "video_path", "sks_present", "gender", "age", "is_positive", "ori_video_name",
"sample_type", "qa_pairs": [{"question", "answer", "is_special"}]}]}`; before its last step the key is `data`
and the name is `<sks>`. `sks_present` names the person on negatives, too: `is_positive` alone tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.contract.errors import ContentError
from runtime.contract.prompt import SLOTS

_PLACEHOLDERS = ("<sks>",)


@dataclass(frozen=True, slots=True)
class PublicClip:
    """One video of such a file.

    Attributes:
        video: as the file names it, relative to the file's folder where it is relative.
        name: whom its questions are about. positive: whether that person is in the video.
        pairs: question, answer, whether it asks for existence; the name is the slot token `<p1>`.
    """

    video: Path
    name: str
    positive: bool
    pairs: tuple[tuple[str, str, bool], ...]


def read_public(path: Path) -> list[PublicClip]:
    """All videos of a file.

    Raises:
        ContentError: it cannot be read, or is none of these.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContentError(f"{path} cannot be read as JSON: {error}.", "Name a PVChat data file.") from error
    videos = (data.get("videos") or data.get("data")) if isinstance(data, dict) else None
    if not isinstance(videos, list):
        raise ContentError(f"{path} has neither `videos` nor `data`.", "Name a PVChat data file.")
    return list(_clips(path, videos))


def _clips(path: Path, videos: list[Any]) -> Iterator[PublicClip]:
    for number, video in enumerate(videos):
        try:
            name = str(video["sks_present"])
            pairs = tuple(
                (_slot(pair["question"], name), _slot(pair["answer"], name), bool(pair["is_special"]))
                for pair in video["qa_pairs"]
            )
            found = PublicClip(path.parent / video["video_path"], name, bool(video["is_positive"]), pairs)
        except (KeyError, TypeError, AttributeError) as error:
            raise ContentError(f"{path}: video {number} lacks {error}.", "Repair the file.") from error
        yield found


def _slot(text: str, name: str) -> str:
    for word in (name, *_PLACEHOLDERS):
        text = text.replace(word, SLOTS[0])
    return text
