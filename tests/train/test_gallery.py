"""Claims about hard negatives: the most alike of a folder, never the person and never a member."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.errors import ContentError, UsageError
from runtime.people.views import PersonView
from train.augment.dataset.attributes import AttributeReader, NoReader
from train.augment.dataset.eyes import Eyes
from train.augment.dataset.gallery import INDEX_NAME, Gallery, open_gallery
from train.augment.dataset.negatives import Members, read_members, rendered_people, similar_people

Floats = NDArray[np.float32]
NOBODY = Members(np.empty((0, 0), dtype=np.float32))

SUB = ("sub/near again.png", "sub/next.png")


def unit(angle: float) -> Floats:
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


class Halves:
    """Eyes to which each half of a picture is a person, the brighter the more they turn; black is nobody."""

    source = "face"
    same_above = 0.99
    looks: AttributeReader = NoReader()

    def __init__(self, encoder: str = "halves") -> None:
        self.encoder, self.looks_taken = encoder, 0

    def views(self, frames: NDArray[np.uint8], fps: float) -> list[PersonView]:
        self.looks_taken += 1
        found = []
        for track, half in enumerate(np.split(frames, 2, axis=2)):
            for index, mean in enumerate(half.mean(axis=(1, 2, 3))):
                if mean > 4:
                    box = (track * 40.0, 0.0, 40.0, 60.0)
                    view = PersonView(index, 0.0, track, box, box, unit(float(mean) / 64), 0.9, "face")
                    found.append(view)
        return found

    def distance(self, one: Floats, other: Floats) -> Floats:
        return np.asarray(1 - one @ other.T, dtype=np.float32)


def picture(path: Path, left: int, right: int = 0) -> Path:
    """Somebody on the left, and somebody on the right."""
    pixels = np.repeat([left, right], 40).astype(np.uint8)
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), np.tile(pixels[None, :, None], (60, 1, 3)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, left, right in (
        ("same", 64, 0), ("near", 76, 0), ("far", 190, 0), ("group", 80, 64), ("none", 0, 0),
        ("sub/next", 86, 0), ("sub/near again", 77, 0),
    ):  # fmt: skip
        picture(tmp_path / "faces" / f"{name}.png", left, right)
    (tmp_path / "faces" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "faces"


def opened(folder: Path, eyes: Halves) -> Gallery:
    return open_gallery(folder, cast(Eyes, eyes), lambda done, total: None)


def chosen(folder: Path, members: Members = NOBODY, count: int = 9) -> list[str]:
    eyes = Halves()
    person = [PersonView(0, 0.0, 0, (0, 0, 1, 1), (0, 0, 1, 1), unit(1.0), 0.9, "face")]
    found = similar_people(opened(folder, eyes), person, cast(Eyes, eyes), members, count, 3, 4.0)
    assert [one.likeness for one in found] == sorted((one.likeness for one in found), reverse=True)
    assert all(one.shot.frames.shape == (3, 60, 80, 3) for one in found)
    return [one.origin for one in found]


def test_hard_negatives_are_the_most_alike_and_no_picture_with_the_person_in_it(folder: Path) -> None:
    assert chosen(folder) == ["near.png", "next.png", "far.png"], "nothing with the person in it"
    assert chosen(folder, count=1) == ["near.png"]


def test_member_of_the_household_is_in_no_hard_negative_however_they_are_named(
    folder: Path, tmp_path: Path
) -> None:
    eyes = cast(Eyes, Halves())
    by_picture = read_members([picture(tmp_path / "mia.png", 76)], eyes, 4.0)
    assert chosen(folder, by_picture) == ["next.png", "far.png"]
    both = read_members([picture(tmp_path / "both.png", 76, 190)], eyes, 4.0)
    assert chosen(folder, both) == ["next.png"], "everybody in a member's clip is one"
    with pytest.raises(ContentError, match=r"none\.png holds no face of a member"):
        read_members([folder / "none.png"], eyes, 4.0)
    with pytest.raises(UsageError, match="does not exist"):
        read_members([tmp_path / "gone.safetensors"], eyes, 4.0)


def test_members_are_read_from_their_adapters_too(tmp_path: Path, folder: Path) -> None:
    from runtime.adapters import write_adapter
    from runtime.contract.adapter import Adapter

    path = tmp_path / "release-1.safetensors"
    views = np.stack([unit(76 / 64), unit(-2.0)])
    write_adapter(path, Adapter("s" + "1" * 32, "b" * 64, "instant", 1, {"views.face": views}))
    assert chosen(folder, read_members([path], cast(Eyes, Halves()), 4.0)) == ["next.png", "far.png"]


def test_drawn_people_who_look_like_a_member_are_left_out() -> None:
    eyes = cast(Eyes, Halves())
    person = [PersonView(0, 0.0, 0, (0, 0, 1, 1), (0, 0, 1, 1), unit(1.0), 0.9, "face")]
    everybody = Members(np.stack([unit(angle) for angle in np.arange(0, 4, 0.05)]))
    for members, count in ((NOBODY, 3), (everybody, 0)):
        drawn = rendered_people(
            person, eyes, members, look_alikes=1, random=2, seed=1, frames_each=2, fps=4.0
        )
        assert len(drawn) == count


def test_index_looks_only_at_what_is_new_or_changed_and_forgets_what_is_gone(folder: Path) -> None:
    first = Halves()
    opened(folder, first)
    assert first.looks_taken == 7, "all but the broken one"
    again = Halves()
    assert opened(folder, again).names == ["far.png", "group.png", "near.png", "same.png", *SUB]
    assert again.looks_taken == 0
    picture(folder / "new.png", 120)
    picture(folder / "far.png", 200)
    os.utime(folder / "far.png", ns=(1, 1))
    (folder / "group.png").unlink()
    later = Halves()
    gallery = opened(folder, later)
    assert later.looks_taken == 2
    assert gallery.names == ["far.png", "near.png", "new.png", "same.png", *SUB]
    assert (folder / INDEX_NAME).stat().st_mode & 0o777 == 0o600


def test_index_of_another_encoder_or_a_damaged_one_is_made_anew(folder: Path) -> None:
    opened(folder, Halves())
    other = Halves("another")
    opened(folder, other)
    assert other.looks_taken == 7
    raw = (folder / INDEX_NAME).read_bytes()
    for damaged in (b"", raw[: len(raw) // 2], b"PK" + raw[200:]):
        (folder / INDEX_NAME).write_bytes(damaged)
        eyes = Halves("another")
        opened(folder, eyes)
        assert eyes.looks_taken == 7
    with pytest.raises(ContentError, match="is no folder"):
        opened(folder / "nowhere", Halves())
    with pytest.raises(ContentError, match="shows a face"):
        picture(folder / "empty" / "none.png", 0)
        opened(folder / "empty", Halves())


def test_picture_that_is_gone_when_it_is_needed_is_named(folder: Path) -> None:
    gallery = opened(folder, Halves())
    (folder / "near.png").unlink()
    face = int(np.flatnonzero(gallery.of == gallery.names.index("near.png"))[0])
    with pytest.raises(ContentError, match=r"near\.png cannot be read"):
        gallery.picture(face)


def test_neighbours_come_in_order_however_many_there_are(tmp_path: Path) -> None:
    picture(tmp_path / "f" / "a.png", 10)
    gallery = opened(tmp_path / "f", Halves())
    rng = np.random.default_rng(0)
    many = np.stack([unit(angle) for angle in rng.uniform(0, 6, 700)])
    from train.augment.dataset.gallery import Seen

    seen = Seen((1, 1), many, np.zeros(700, dtype=np.int64), np.zeros((700, 4), dtype=np.float32))
    gallery = Gallery(tmp_path, {"a.png": seen})
    told = list(gallery.nearest(unit(1.0)))
    assert sorted(told) == list(range(700))
    assert (np.diff(many[told] @ unit(1.0)) <= 1e-6).all()
