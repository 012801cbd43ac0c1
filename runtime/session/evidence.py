"""Evidence: the frame, the box and, when wanted, a picture. Knows no verdicts and no models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.atomic import write_atomic
from runtime.contract.dialogue import Evidence
from runtime.contract.errors import StoreError
from runtime.contract.pixels import Box
from runtime.session.decide import Person
from runtime.session.footage import Footage
from runtime.sightings import SIGHTING_SUFFIX, Sighting, sighting_to_bytes

MAX_EVIDENCE = 4
_KNOWN, _UNKNOWN = (80, 200, 90), (235, 160, 50)
_JPEG_QUALITY = 92


def evidence_of(
    people: Sequence[Person], footage: Footage, digests: Sequence[bytes], folder: Path | None,
    sighting: Callable[[Person], Sighting | None],
) -> tuple[Evidence, ...]:  # fmt: skip
    """One frame for each of at most four people.

    Args:
        people: most important first.
        digests: sha256 of the pixels of each frame of the footage.
        folder: where pictures with the box drawn are written (JPEG), and beside them what was seen of whoever
            was given a name (`sighting`); None: nothing is.

    Raises:
        StoreError: the folder cannot be written.
    """
    return tuple(
        _evidence(person, footage, digests[person.view.frame].hex(), folder, sighting)
        for person in people[:MAX_EVIDENCE]
    )


def _evidence(
    person: Person, footage: Footage, digest: str, folder: Path | None,
    sighting: Callable[[Person], Sighting | None],
) -> Evidence:  # fmt: skip
    frame = footage.clip.frames[person.view.frame]
    image = event = ""
    if folder is not None:
        name = f"{digest[:16]}-{person.number}"
        path = folder / f"{name}.jpg"
        colour = _UNKNOWN if person.subject_id is None else _KNOWN
        write_jpeg(path, _with_box(frame, person.view.head, colour))
        image = str(path)
        seen = sighting(person)
        if seen is not None:
            write_atomic(path.with_suffix(SIGHTING_SUFFIX), sighting_to_bytes(seen))
            event = name
    return Evidence(
        camera=footage.camera,
        at=footage.at_s(person.view.frame),
        box=_original(person.view.head, footage.scale),
        frame_sha256=digest,
        subject_id=person.subject_id,
        image=image,
        event=event,
    )


def write_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write uint8 (H, W, 3) RGB as a JPEG file that only the owner can read.

    Raises:
        StoreError: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path.parent}: {error.strerror}.") from error
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not done:
        raise StoreError(f"cannot encode a picture of {picture.shape[1]}x{picture.shape[0]} as JPEG.")
    write_atomic(path, data.tobytes())


def _with_box(frame: NDArray[np.uint8], box: Box, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A copy of the frame with a rectangle; the frame itself is untouched."""
    x, y, w, h = (round(value) for value in box)
    thick = max(1, round(frame.shape[1] / 320))
    marked = np.ascontiguousarray(frame).copy()
    cv2.rectangle(marked, (x, y), (x + w, y + h), colour, thick)
    return marked


def _original(box: Box, scale: float) -> tuple[int, int, int, int]:
    x, y, w, h = (round(value * scale) for value in box)
    return (x, y, w, h)
