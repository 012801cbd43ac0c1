"""Pictures of a chat to a short clip: `data:` URLs alone, looked at for their size before they are decoded.

Knows no people and fetches nothing. A still is held for two frames of the window's grid and no longer: a face
that does not move for a second is taken for a photograph (ADR 0025), and every face of a still holds still.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import ContentError, UsageError

MAX_PICTURES = 4
MAX_PIXELS = 16_000_000
MIN_SIDE_PX = 16
_LOOKS = 2
_URL = re.compile(r"data:image/(?:jpeg|jpg|png);base64,", re.IGNORECASE)
_PNG, _PNG_HEADER, _PNG_END = b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\rIHDR", b"IEND\xaeB`\x82"
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers that are followed by the picture's size."""


def check_count(urls: Sequence[str]) -> None:
    """Raises `UsageError` for more pictures than one question takes."""
    if len(urls) > MAX_PICTURES:
        raise UsageError(f"{len(urls)} pictures are too many, at most {MAX_PICTURES}.", "Send fewer.")


def write_pictures(urls: Sequence[str], path: Path, *, fps: float) -> None:
    """Decode pictures and write a clip that shows them one after another, without loss.

    Args:
        urls: equal ones are shown once.
        fps: frames per second of the window's grid.

    Raises:
        UsageError: an address that is no `data:` URL, or too many. ContentError: no usable picture.
    """
    check_count(urls)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(fps).limit_denominator(1000))
        size = None
        for url in dict.fromkeys(urls):
            picture = decode_picture(url)
            if size not in (None, picture.shape):
                raise ContentError("the pictures have different sizes.", "Ask about one at a time.")
            if size is None:
                size = picture.shape
                stream.width, stream.height, stream.pix_fmt = size[1], size[0], "bgr0"
            for _ in range(_LOOKS):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def decode_picture(url: str) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), RGB, upright.

    Raises:
        UsageError: no `data:` URL of a JPEG or PNG. ContentError: too large, too small or damaged.
    """
    head = _URL.match(url[:40])
    if head is None:
        raise UsageError(
            "a picture has to be a data: URL of a JPEG or PNG; no address is ever fetched.",
            "Send data:image/jpeg;base64,… instead.",
        )
    try:
        data = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ContentError(
            "the picture is not valid base64.", "Encode the file's bytes as base64."
        ) from error
    width, height = picture_size(data)
    if width * height > MAX_PIXELS:
        raise ContentError(
            f"the picture has {width}x{height} pixels, at most {MAX_PIXELS} are read.", "Send a smaller one."
        )
    if min(width, height) < MIN_SIDE_PX:
        raise ContentError(f"the picture has {width}x{height} pixels: too few.", "Send a larger one.")
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None or bgr.shape[0] * bgr.shape[1] != width * height:
        raise ContentError("the picture cannot be decoded.", "Save it again as JPEG or PNG.")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header of a JPEG or PNG that is there to its end.

    Raises:
        ContentError: neither, or cut off: what a decoder puts for the missing rest would be looked at, too.
    """
    if data.startswith(_PNG) and data[8:16] == _PNG_HEADER and _PNG_END in data[-64:]:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    size = _jpeg_size(data) if data.startswith(_JPEG) else None
    if size is None:
        raise ContentError("the picture is no whole JPEG or PNG.", "Save it again as JPEG or PNG.")
    return size


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _SIZES:
            whole = data.find(_JPEG_END, at) >= 0
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return (int.from_bytes(width, "big"), int.from_bytes(height, "big")) if whole else None
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or 0xD0 <= marker <= 0xD9:
            return None
        at += 2 + length
    return None
