"""Claims about pictures of a chat: what becomes of them, and that no header talks a decoder into more."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.errors import ContentError
from runtime.http.pictures import MAX_PIXELS, decode_picture, picture_size, write_pictures
from runtime.people.stillness import still_faces
from runtime.people.views import PersonView
from runtime.video import read_video


def picture(seed: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (48, 62, 3), dtype=np.uint8)


def encoded(kind: str, shown: NDArray[np.uint8] | None = None) -> bytes:
    done, raw = cv2.imencode(f".{kind}", (picture() if shown is None else shown)[:, :, ::-1])
    assert done
    return raw.tobytes()


def url(raw: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"


def test_a_picture_is_shown_pixel_for_pixel_on_the_grid_of_the_window(tmp_path: Path) -> None:
    path = tmp_path / "p.mkv"
    write_pictures([url(encoded("png"))], path, fps=4.0)
    video = read_video(path, fps=4.0)
    assert (video.width, video.height, video.damaged_frames) == (62, 48, 0)
    assert len(video.clip.frames) == 2
    assert all(np.array_equal(shown, picture()) for shown in video.clip.frames)


def test_a_face_of_a_still_is_not_taken_for_one_that_never_moves(tmp_path: Path) -> None:
    path = tmp_path / "p.mkv"
    write_pictures([url(encoded("png"))], path, fps=4.0)
    shown = read_video(path, fps=4.0).clip.frames
    assert still_faces(shown, _views(len(shown))) == frozenset()
    held = np.concatenate([shown] * 4)  # what a whole window of it would be
    assert still_faces(held, _views(len(held))) == frozenset({1})


def _views(count: int) -> list[PersonView]:
    box = (10.0, 10.0, 20.0, 20.0)
    return [
        PersonView(index, index / 4, 1, box, box, np.zeros(1, np.float32), 1.0, "face")
        for index in range(count)
    ]


def test_the_same_picture_twice_is_shown_once_and_two_are_shown_in_order(tmp_path: Path) -> None:
    first, second = url(encoded("png")), url(encoded("png", picture(4)))
    write_pictures([first, second, first], tmp_path / "p.mkv", fps=4.0)
    shown = read_video(tmp_path / "p.mkv", fps=4.0).clip.frames
    assert [int(frame[0, 0, 0]) for frame in shown] == [picture()[0, 0, 0]] * 2 + [picture(4)[0, 0, 0]] * 2


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_the_size_is_known_from_the_header_alone(kind: str) -> None:
    assert picture_size(encoded(kind)) == (62, 48)
    assert decode_picture(url(encoded(kind), kind)).shape == (48, 62, 3)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.98])
def test_a_picture_that_was_cut_off_is_refused(kind: str, kept: float) -> None:
    raw = encoded(kind)
    with pytest.raises(ContentError, match="no whole JPEG or PNG"):
        decode_picture(url(raw[: int(len(raw) * kept)], kind))


def test_a_header_that_lies_about_the_size_is_refused() -> None:
    raw = bytearray(encoded("jpeg"))
    at = raw.index(b"\xff\xc0")
    raw[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    assert MAX_PIXELS < 65535 * 65535
    with pytest.raises(ContentError, match="65535x65535 pixels, at most"):
        decode_picture(url(bytes(raw), "jpeg"))
    with pytest.raises(ContentError, match="no whole"):
        decode_picture(url(b"\xff\xd8" + b"\x00" * 64 + bytes(raw[2:]), "jpeg"))


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_with_flipped_bytes_is_decoded_or_refused_and_never_a_crash(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = "jpeg" if seed % 2 else "png"
    raw = bytearray(encoded(kind))
    for at in rng.integers(0, len(raw), 8):
        raw[at] = rng.integers(0, 256)
    try:
        shown = decode_picture(url(bytes(raw), kind))
    except ContentError:
        return
    assert shown.dtype == np.uint8 and shown.ndim == 3
