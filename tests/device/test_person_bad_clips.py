"""Enrolling from footage as it comes, through the real command line and a real runtime: a person, or why not.

Whatever the clip is, nobody is half stored. The runtime is that of the box, on a bundle of tiny graphs.
"""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from device.cli.main import main
from device.cli.person_add import SHEET_NAME
from device.config import Limits
from device.paths import Home
from device.runtime_process import ensure_runtime, stop_runtime
from device.store.blobs import write_atomically
from device.store.store import Store
from tests.device.fake_runtime import short_home
from tests.fakes.tiny_bundle import ANN, frame, make_bundle

Frames = Sequence[NDArray[np.uint8]]
BEAT = Fraction(1, 120)


@dataclass
class RealBox:
    """A home with a runtime that really looks at clips, and a folder for them."""

    home: Home
    folder: Path

    def add(self, capsys: pytest.CaptureFixture[str], clip: Path, name: str = "Ann") -> tuple[int, Any]:
        """`person add`: the exit code and what --json printed."""
        capsys.readouterr()
        code = main(["person", "add", name, "--clip", str(clip), "--consent-by", "Ann", "--json"])
        return code, json.loads(capsys.readouterr().out)

    def stored(self) -> list[str]:
        """Every person, vault file, unfinished work and evidence there is."""
        with Store.open(self.home) as store:
            people = [person.subject.name for person in store.people()]
        folders = (self.home.blobs, self.home.incoming, self.home.evidence)
        return people + [path.name for folder in folders for path in folder.rglob("*")]


@pytest.fixture(scope="module")
def real() -> Iterator[RealBox]:
    with short_home() as home:
        bundle = make_bundle(home.bundles / "made")
        bundle.root.rename(home.bundles / bundle.bundle_id)
        write_atomically(home.bundles / "current", bundle.bundle_id)
        folder = home.root.parent / "clips"
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PVCHAT_HOME", str(home.root))
            yield RealBox(home, folder)
            stop_runtime(home)


@pytest.fixture
def box(real: RealBox) -> Iterator[RealBox]:
    """The home with nobody in it."""
    yield real
    with Store.open(real.home) as store:
        for person in store.people():
            store.forget(person.subject.subject_id)
    (real.home.evidence / SHEET_NAME).unlink(missing_ok=True)


def ann(count: int, scale: int = 1) -> Frames:
    """Ann alone, who steps from cell to cell so that no two looks are the same picture."""
    small = [frame({9 + number % 4: ANN}) for number in range(count)]
    return [np.kron(one, np.ones((scale, scale, 1), dtype=np.uint8)) for one in small]


def film(path: Path, frames: Frames, beats: Sequence[int], rotation: int = 0, codec: str = "mpeg4") -> Path:
    """A video whose frames are shown at these moments, in 120ths of a second."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(120))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        stream.bit_rate, stream.codec_context.time_base = 20_000_000, BEAT
        if rotation:
            stream.set_display_rotation(rotation)
        for picture, beat in zip(frames, beats, strict=True):
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            shown.pts, shown.time_base = beat, BEAT
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return path


def sound(path: Path) -> Path:
    """A file that holds one second of silence and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 16000
        for packet in [*stream.encode(silence), *stream.encode()]:
            container.mux(packet)
    return path


def useless(folder: Path, what: str) -> Path:
    """A file of that name which nobody can be learned from."""
    path = folder / what
    whole = film(folder / "whole.mp4", ann(8), range(0, 240, 30)).read_bytes()
    match what:
        case "empty.mp4":
            path.write_bytes(b"")
        case "noise.mp4":
            path.write_bytes(np.random.default_rng(1).bytes(20_000))
        case "broken.mp4":  # a good head, then noise where the pictures were
            path.write_bytes(whole[:64] + np.random.default_rng(2).bytes(len(whole) - 64))
        case "half.mp4":  # cut short, as by a full memory card: the index at the end is missing
            path.write_bytes(whole[: len(whole) // 2])
        case "sound.mp4":
            sound(path)
        case "photo.jpg":  # a picture, but of an empty room
            assert cv2.imwrite(str(path), frame({})[..., ::-1])
        case "notes.txt":
            path.write_text("Grandma, 3rd of May\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "what",
    ["empty.mp4", "noise.mp4", "broken.mp4", "half.mp4", "sound.mp4", "photo.jpg", "notes.txt"],
)
def test_clip_that_nobody_can_be_learned_from_is_refused_by_name_and_stores_nothing(
    box: RealBox, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    code, said = box.add(capsys, useless(box.folder, what))
    assert (code, said["error"]["code"]) == (5, "content")
    assert what in said["error"]["message"] and said["error"]["next_step"].startswith("Record")
    assert box.stored() == []


def odd_path(folder: Path, what: str) -> Path:
    """A path that holds no file to read."""
    path = folder / what
    match what:
        case "pipe":
            if not path.exists():
                os.mkfifo(path)
        case "loop.mp4":
            path.unlink(missing_ok=True)
            path.symlink_to(path)
        case "folder":
            path.mkdir(exist_ok=True)
    return path


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", ["none.mp4", "folder", "pipe", "loop.mp4", "x" * 300])
def test_path_without_a_file_is_a_wrong_call_and_is_never_waited_for(
    box: RealBox, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    code, said = box.add(capsys, odd_path(box.folder, what))
    assert (code, said["error"]["code"]) == (2, "usage")
    assert what in said["error"]["message"] and said["error"]["next_step"]
    assert box.stored() == []


@pytest.mark.parametrize(
    ("what", "frames", "beats", "looked_at"),
    [
        ("4k", ann(4, scale=6), range(0, 120, 30), 4),
        ("5 fps", ann(10), range(0, 240, 24), 8),
        ("120 fps", ann(120), range(120), 4),
        # a phone that slows down in the dark: 30 fps, then 10, then a gap of a second
        ("uneven", ann(16), [*range(0, 40, 4), *range(40, 88, 12), 208, 220], 8),
    ],
)
def test_camera_of_any_size_and_pace_gives_a_whole_person(
    box: RealBox, capsys: pytest.CaptureFixture[str], what: str, frames: Frames, beats: Sequence[int],
    looked_at: int,
) -> None:  # fmt: skip
    code, said = box.add(capsys, film(box.folder / f"{what}.mp4", frames, beats))
    assert code == 0, said
    assert (said["report"]["people"], said["report"]["frames_used"]) == (1, looked_at)
    assert said["report"]["quality"] > 0.8
    assert len(box.stored()) == 3, "the name, the adapter, the contact sheet"


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_phone_held_sideways_is_seen_upright(
    box: RealBox, capsys: pytest.CaptureFixture[str], rotation: int
) -> None:
    lying = [np.rot90(one, -rotation // 90) for one in ann(8)]
    path = film(box.folder / "turned.mp4", lying, range(0, 240, 30), rotation)
    code, said = box.add(capsys, path)
    assert code == 0, said
    assert main(["ask", "Is Ann here?", "--clip", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    _, top, width, height = answer["evidence"][0]["box"]
    assert answer["verdict"] == "yes"
    assert (top, width, height) == pytest.approx((80, 80, 80), abs=16), "the second row, as it was filmed"


def test_clip_cut_short_gives_what_is_whole_of_it(box: RealBox, capsys: pytest.CaptureFixture[str]) -> None:
    whole = film(box.folder / "whole.mkv", ann(16), range(0, 480, 30), codec="ffv1").read_bytes()
    cut = box.folder / "cut.mkv"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    code, said = box.add(capsys, cut)
    assert code == 0, said
    assert 4 <= said["report"]["frames_used"] < 16


def test_picture_instead_of_a_clip_is_one_view_and_that_is_said(
    box: RealBox, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = box.folder / "ann.png"
    assert cv2.imwrite(str(picture), ann(1)[0][..., ::-1])
    code, said = box.add(capsys, picture)
    assert code == 0, said
    assert (said["report"]["frames_used"], said["report"]["views"]) == (1, 1)
    assert said["report"]["hints"], "one view is not enough, and nobody is left to think that it is"


def test_one_useless_clip_of_several_enrols_nobody(box: RealBox, capsys: pytest.CaptureFixture[str]) -> None:
    good = film(box.folder / "good.mp4", ann(8), range(0, 240, 30))
    capsys.readouterr()
    words = ["--clip", str(good), "--clip", str(useless(box.folder, "half.mp4"))]
    assert main(["person", "add", "Ann", *words, "--consent-by", "Ann", "--json"]) == 5
    error = json.loads(capsys.readouterr().out)["error"]
    assert "half.mp4" in error["message"]
    assert box.stored() == [SHEET_NAME] and SHEET_NAME in error["next_step"]


def test_full_disk_under_the_runtime_is_an_error_of_the_home_and_goes_with_its_cause(
    box: RealBox, capsys: pytest.CaptureFixture[str]
) -> None:
    good = film(box.folder / "good.mp4", ann(8), range(0, 240, 30))
    with ensure_runtime(box.home, [], Limits()) as runtime:
        pid = runtime.ready.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (30_000, before[1]))  # a contact sheet fits, an adapter not
    try:
        code, said = box.add(capsys, good)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert (code, said["error"]["code"]) == (5, "store")
    assert "space" in said["error"]["next_step"]
    assert box.stored() == []
    assert box.add(capsys, good)[0] == 0
