"""Real people in ordinary footage: each is told apart, strangers stay unknown, nobody gets a wrong name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.dialogue import Answer, Intent
from runtime.contract.errors import ContentError
from runtime.contract.serving import AdapterRef, ClipSource, EnrolReport, EnrolRequest
from runtime.session import LocalSession
from runtime.video import read_video
from tests.fakes.tiny_bundle import make_bundle
from tests.fakes.tiny_home import forever, open_tiny

DATA = Path(__file__).parents[3] / "shared" / "data"
FACES_ONLY = -1.0
ENROLLED = {"asl01": "asl01_again", "asl03": "asl03_book", "asl04": "asl04_eat"}
IDS = {name: f"s{number:032x}" for number, name in enumerate(ENROLLED, start=1)}
NAMES = {subject_id: name for name, subject_id in IDS.items()}
OTHERS = (
    "asl01_brother", "asl01_help", "asl01_no", "asl01_student", "asl01_yes",
    "asl03_learn", "asl03_school", "asl03_walk",
    "asl04_night", "asl04_sister",
)  # fmt: skip
BESIDE = ("asl01_student",)
"""Somebody else sits at the edge of these clips, and no face of theirs is in view."""
STRANGERS = ("grid01_brwa4p_damaged", "grid03_brbk7n", "grid04_lbax4n", "grid05_lbbc2a", "grid06_lrwp9a")

pytestmark = [
    pytest.mark.skipif(
        not DATA.is_dir(), reason="../shared/data with the real clips is not beside the project"
    ),
    pytest.mark.timeout(900),
]


def clip(name: str) -> Path:
    folder = DATA / "clips" / name.split("_", 1)[0]
    return next(path for path in folder.iterdir() if path.stem == name)


def write(path: Path, frames: Sequence[NDArray[np.uint8]], fps: int) -> None:
    """RGB pictures of one size as a video file."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    for picture in frames:
        writer.write(picture[:, :, ::-1])
    writer.release()


class Home:
    """Three people enrolled from one clip each, on a bundle whose scene gate lets only faces count."""

    def __init__(self, folder: Path, models: Path | None = None) -> None:
        bundle = make_bundle(folder / "bundle", domain_limit=FACES_ONLY)
        self.session: LocalSession = open_tiny(bundle, models=models)
        self.reports: dict[str, EnrolReport] = {}
        refs = []
        for name, source in ENROLLED.items():
            path = folder / f"{name}.safetensors"
            request = EnrolRequest(IDS[name], clip(source), None, path, folder / f"{name}.jpg", 1)
            self.reports[name] = self.session.enrol(request)
            refs.append(AdapterRef(IDS[name], path, 1))
        self.session.set_subjects(refs)

    def ask(self, path: Path, kind: str, *names: str) -> Answer:
        intent = Intent(kind, tuple(IDS[name] for name in names))  # type: ignore[arg-type]
        return self.session.answer(ClipSource(path), intent, NAMES, None, forever)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def seeing_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same home with models of others that find people and more faces."""
    return Home(tmp_path_factory.mktemp("seeing"), DATA / "models")


def test_one_clip_of_a_real_face_is_enough_to_enrol(home: Home) -> None:
    for name, report in home.reports.items():
        assert (report.source, report.people) == ("face", 1), name
        assert report.views >= 6 and report.quality > 0.3, name
        assert report.sheet_path is not None and report.sheet_path.stat().st_size > 1000


def test_two_real_clips_make_one_person_and_a_clip_of_somebody_else_is_refused(
    home: Home, tmp_path: Path
) -> None:
    def request(*more: str) -> EnrolRequest:
        paths = tuple(clip(name) for name in more)
        return EnrolRequest(IDS["asl01"], clip("asl01_again"), None, tmp_path / "a", None, 2, paths)

    report = home.session.enrol(request("asl01_help"))
    assert (report.clips, report.people, report.source) == (2, 1, "face")
    with pytest.raises(ContentError, match="nobody in asl03_walk"):
        home.session.enrol(request("asl01_help", "asl03_walk"))


@pytest.mark.parametrize("name", OTHERS)
def test_each_person_is_told_apart_on_every_other_clip(seeing_home: Home, name: str) -> None:
    person = name.split("_", 1)[0]
    who = seeing_home.ask(clip(name), "who")
    assert [NAMES[one.subject_id] for one in who.subjects if one.verdict == "yes"] == [person]
    assert who.unknown_people == 0
    for other in ENROLLED:
        answer = seeing_home.ask(clip(name), "existence", other)
        absent = "unsure" if name in BESIDE else "no"
        assert answer.verdict == ("yes" if other == person else absent), other


@pytest.mark.parametrize("name", STRANGERS)
def test_a_real_stranger_has_no_name(home: Home, name: str) -> None:
    answer = home.ask(clip(name), "who")
    assert (answer.subjects, answer.unknown_people) == ((), 1)
    assert home.ask(clip(name), "stranger").verdict == "yes"
    for enrolled in ENROLLED:
        assert home.ask(clip(name), "existence", enrolled).verdict != "yes"


@pytest.mark.parametrize("name", [name for name in STRANGERS if "damaged" not in name])
def test_a_stranger_who_fills_the_picture_is_nobody_of_the_home_for_sure(
    seeing_home: Home, name: str
) -> None:
    answer = seeing_home.ask(clip(name), "existence", "asl01")
    assert (answer.verdict, answer.reason) == ("no", "1 person is in view, all told apart.")


@pytest.mark.parametrize("name", ["ambianic_frontdoor_empty.jpg", "ambianic_frontdoor_person.mkv"])
def test_a_front_door_camera_without_a_clear_face_is_unsure_and_never_a_no(home: Home, name: str) -> None:
    answer = home.ask(DATA / "camera" / name, "existence", "asl01")
    assert (answer.verdict, bool(answer.reason)) == ("unsure", True)
    assert home.ask(DATA / "camera" / name, "who").subjects == ()


def test_a_photograph_of_a_member_is_nobodys_presence_whatever_the_light(home: Home, tmp_path: Path) -> None:
    """A framed photograph before a camera: one frame, new noise in each picture, a lamp that goes on."""
    frame = read_video(clip("asl01_help"), fps=4.0, max_s=3.0).clip.frames[3].astype(np.float32)
    rng = np.random.default_rng(0)
    lit = [frame * (0.7 if index < 20 else 1.0) + rng.normal(0, 5, frame.shape) for index in range(45)]
    path = tmp_path / "photo.mp4"
    write(path, [np.clip(picture, 0, 255).astype(np.uint8) for picture in lit], fps=15)
    answer = home.ask(path, "existence", "asl01")
    assert answer.verdict == "unsure"
    assert "never moves" in answer.reason
    who = home.ask(path, "who")
    assert (who.subjects, who.unknown_people, who.evidence) == ((), 0, ())


def test_a_visitor_whom_dlib_mostly_overlooks_is_learned_from_many_views_and_is_a_stranger(
    home: Home, seeing_home: Home, tmp_path: Path
) -> None:
    path = DATA / "camera" / "ambianic_frontdoor_person.mkv"
    request = EnrolRequest("s" + "9" * 32, path, None, tmp_path / "a", None, 1)
    few, many = home.session.enrol(request), seeing_home.session.enrol(request)
    assert (many.source, many.people) == ("face", 1)
    assert many.faces_found >= 10 > 2 * few.faces_found
    assert seeing_home.ask(path, "stranger").verdict == "yes"
    assert home.ask(path, "stranger").verdict == "unsure"


def test_somebody_who_shows_only_a_profile_has_no_name_and_is_no_stranger(
    seeing_home: Home, tmp_path: Path
) -> None:
    """The visitor at the door once he has turned to go: who that is, only a face would tell."""
    video = read_video(DATA / "camera" / "ambianic_frontdoor_person.mkv", fps=10.0, max_s=6.0)
    path = tmp_path / "going.mp4"
    write(path, list(video.clip.frames[28:37]), fps=4)
    answer = seeing_home.ask(path, "existence", "asl01")
    assert (answer.verdict, answer.unknown_people) == ("unsure", 1)
    assert "turned away" in answer.reason
    assert seeing_home.ask(path, "stranger").verdict == "unsure"


def on_television(name: str, *, before: str = "") -> list[NDArray[np.uint8]]:
    """A room whose television shows a clip, letterboxed; before it somebody from a clip with a blue wall."""
    room = read_video(DATA / "camera" / "intel_one_by_one_person.mp4", fps=1.0, max_s=1.0).clip.frames[0]
    room = np.asarray(cv2.resize(room, (1280, 720)), dtype=np.uint8)
    rng, frames = np.random.default_rng(0), []
    shown = read_video(clip(name), fps=4.0, max_s=2.0).clip.frames
    front = read_video(clip(before or name), fps=4.0, max_s=2.0).clip.frames
    for picture, person in zip(shown, front, strict=False):
        scene = room.copy()
        scene[50:530, 270:1090], scene[65:515, 280:1080] = 15, 0
        scene[65:515, 380:980] = cv2.resize(picture, (600, 450), interpolation=cv2.INTER_AREA)
        if before:
            place = scene[432:, 300:660]
            hue, vivid = np.moveaxis(cv2.cvtColor(person, cv2.COLOR_RGB2HSV), -1, 0)[:2]
            mine = cv2.medianBlur(np.where((hue > 80) & (hue < 110) & (vivid > 90), 0, 1).astype(np.uint8), 5)
            place[mine > 0] = person[mine > 0]
        frames.append(np.clip(scene + rng.normal(0, 3, scene.shape), 0, 255).astype(np.uint8))
    return frames


def test_a_member_on_television_may_be_a_picture_and_others_are_still_absent(
    seeing_home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "television.mp4"
    write(path, on_television("asl01_help"), fps=4)
    answer = seeing_home.ask(path, "existence", "asl01")
    assert (answer.verdict, answer.reason) == ("unsure", "The face may be on a screen.")
    assert (answer.confidence or 0.0) > 0.9, "without the screen this is a yes"
    assert seeing_home.ask(path, "existence", "asl03").verdict == "no"


def test_a_newsreader_is_no_stranger_in_the_room(seeing_home: Home, tmp_path: Path) -> None:
    path = tmp_path / "news.mp4"
    write(path, on_television("grid03_brbk7n"), fps=4)
    answer = seeing_home.ask(path, "stranger")
    assert (answer.verdict, answer.unknown_people) == ("unsure", 0)
    assert answer.reason == "The face may be on a screen."


def test_somebody_before_a_television_is_there(seeing_home: Home, tmp_path: Path) -> None:
    path = tmp_path / "before.mp4"
    write(path, on_television("asl01_help", before="grid05_lbbc2a"), fps=4)
    answer = seeing_home.ask(path, "stranger")
    assert (answer.verdict, answer.unknown_people) == ("yes", 1)


def test_with_a_person_detector_an_empty_doorstep_is_a_no(seeing_home: Home) -> None:
    answer = seeing_home.ask(DATA / "camera" / "ambianic_frontdoor_empty.jpg", "existence", "asl01")
    assert (answer.verdict, answer.reason) == ("no", "Nobody is in view.")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("intel_one_by_one_person.mp4", "whose face is not"),
        ("ambianic_livingroom_person.jpg", "too small"),
        ("sam2_woman_dog.mp4", "too small, blurred or turned away"),
    ],
)
def test_somebody_who_shows_no_clear_face_is_never_a_no(seeing_home: Home, name: str, why: str) -> None:
    answer = seeing_home.ask(DATA / "camera" / name, "existence", "asl01")
    assert answer.verdict == "unsure"
    assert why in answer.reason
    assert seeing_home.ask(DATA / "camera" / name, "who").subjects == ()


def test_with_a_person_detector_another_persons_clip_is_a_no_and_without_one_unsure(
    home: Home, seeing_home: Home
) -> None:
    path = clip("asl03_book")
    assert seeing_home.ask(path, "existence", "asl03").verdict == "yes"
    assert seeing_home.ask(path, "existence", "asl04").verdict == "no"
    unsure = home.ask(path, "existence", "asl04")
    assert (unsure.verdict, "models pull" in unsure.reason) == ("unsure", True)


def test_clothes_on_real_footage_are_refused_but_the_place_in_the_picture_is_told(home: Home) -> None:
    path = clip("asl01_help")
    refused = home.ask(path, "appearance", "asl01")
    assert (refused.kind, refused.verdict) == ("refusal", None)
    assert "not clothes" in refused.reason
    assert [one.verdict for one in refused.subjects] == ["yes"]
    assert home.ask(path, "location", "asl01").text == "asl01 is in the middle of the picture."


def _infrared(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as a night camera has it: red weighs most, soft, noisy, without colour."""
    grey = 255 * ((picture @ np.array([0.75, 0.2, 0.05])) / 255) ** 0.8
    noisy = cv2.GaussianBlur(grey, (0, 0), 0.8) + rng.normal(0, 6, grey.shape)
    return np.repeat(np.clip(noisy, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("name", ["asl01_help", "asl03_learn", "asl04_sister"])
def test_an_infrared_camera_gives_nobody_a_wrong_name_and_denies_nobody_who_is_there(
    seeing_home: Home, tmp_path: Path, name: str
) -> None:
    rng = np.random.default_rng(0)
    frames = read_video(clip(name), fps=4).clip.frames
    write(tmp_path / "night.mp4", [_infrared(frame, rng) for frame in frames], 4)
    person = name.split("_", 1)[0]
    for enrolled in ENROLLED:
        verdict = seeing_home.ask(tmp_path / "night.mp4", "existence", enrolled).verdict
        assert verdict in (("yes", "unsure") if enrolled == person else ("unsure", "no")), enrolled


def test_a_face_without_colour_is_trusted_less(home: Home, tmp_path: Path) -> None:
    frames = read_video(clip("asl03_learn"), fps=4).clip.frames
    grey = [np.repeat(frame.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for frame in frames]
    write(tmp_path / "colour.mp4", list(frames), 4)
    write(tmp_path / "grey.mp4", grey, 4)
    by_day, by_night = (
        home.ask(tmp_path / f"{name}.mp4", "existence", "asl03").confidence for name in ("colour", "grey")
    )
    assert by_day is not None and by_night is not None and by_day > 0.95 > by_night > 0.5
