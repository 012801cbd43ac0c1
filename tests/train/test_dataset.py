"""Claims about a person's dataset: who is in it, what is made, what is asked, and that reruns only add."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import runtime
from runtime.contract.errors import ContentError
from runtime.people.views import PersonView
from runtime.video import read_video
from train.augment.dataset.__main__ import main
from train.augment.dataset.ask import rows_of
from train.augment.dataset.attributes import NoReader
from train.augment.dataset.config import AugmentConfig, ClusterConfig
from train.augment.dataset.folder import Folder, Made
from train.augment.dataset.make import cook, recipes
from train.augment.dataset.people import Still, stills, told_apart
from train.augment.dataset.public import read_public
from train.augment.dataset.rows import problem, read_rows
from train.augment.dataset.show import contact_sheet
from train.augment.dataset.show import main as show
from train.augment.questions import slots_in
from train.augment.vary.mix import VARIATIONS
from train.augment.vary.shot import Shot
from train.world.dataset import reference_script
from train.world.files import write_clip, write_video
from train.world.household import sample_household

BASE = Path(runtime.__file__).parent / "base_bundle" / "checkpoint"
QUICK = (
    "clip_frames = 4\nlooks = 3\nsimilar = 1\nlook_alikes = 1\nrandom = 1\nquestions_each = 1\n"
    'drivers = ["yes", "no"]\n'
)


def unit(angle: float) -> NDArray[np.float32]:
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


def view(frame: int, angle: float, x: float = 10.0, quality: float = 0.9) -> PersonView:
    head, body = (x, 10.0, 40.0, 50.0), (x, 10.0, 40.0, 90.0)
    return PersonView(frame, frame / 4, 0, head, body, unit(angle), quality, "face")


class Angles:
    """Eyes to which people are angles: the mean colour of the picture's left half."""

    source = "face"
    encoder = "angles"
    same_above = 0.9
    looks = NoReader()

    def views(self, frames: NDArray[np.uint8], fps: float) -> list[PersonView]:
        means = frames[:, :, : frames.shape[2] // 2].mean(axis=(1, 2, 3))
        return [view(index, float(mean) / 64) for index, mean in enumerate(means) if mean > 4]

    def distance(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(1 - one @ other.T, dtype=np.float32)


EYES = Angles()


def test_people_are_told_apart_whoever_the_tracker_mixed() -> None:
    seen = [view(frame, 0.1 + 0.01 * frame) for frame in range(6)]
    seen += [view(frame, 1.5, x=200.0) for frame in range(4)] + [view(9, 3.0)]
    first, second = told_apart(seen, EYES, ClusterConfig(eps=0.1))  # type: ignore[arg-type]
    assert [one.frame for one in first] == list(range(6))
    assert {one.head[0] for one in second} == {200.0}


def test_two_views_of_one_frame_are_never_one_person() -> None:
    seen = [view(frame, 0.1) for frame in range(5)] + [view(2, 0.25, x=300.0)]
    (person,) = told_apart(seen, EYES, ClusterConfig(eps=0.1))  # type: ignore[arg-type]
    assert [one.frame for one in person] == [0, 1, 2, 3, 4]
    assert {one.head[0] for one in person} == {10.0}


def test_where_everything_is_noise_the_looser_rule_and_then_one_person_hold() -> None:
    pair = [view(0, 0.0), view(1, 0.5)]
    assert len(told_apart(pair, EYES, ClusterConfig(eps=0.01, loose_eps=0.2))) == 1  # type: ignore[arg-type]
    assert len(told_apart(pair, EYES, ClusterConfig(eps=0.01, loose_eps=0.01))) == 1  # type: ignore[arg-type]
    assert told_apart([], EYES, ClusterConfig()) == []  # type: ignore[arg-type]


def test_best_still_is_sharp_whole_and_large() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 120, 160, 3)).astype(np.uint8)
    noise[1] = 120
    cut = dataclasses.replace(view(2, 0.1), head=(-20.0, 10.0, 40.0, 50.0))
    ranked = stills([view(0, 0.1), view(1, 0.1), cut], noise)
    assert ranked[0].view.frame == 0
    assert ranked[0].sharp == 1.0 and next(one for one in ranked if one.view.frame == 1).sharp == 0.0
    assert next(one for one in ranked if one.view.frame == 2).inside == pytest.approx(0.5)
    assert all(0 <= one.score <= 1 for one in ranked)


def test_every_variation_has_its_turn_and_recipes_follow_from_the_seed() -> None:
    config = AugmentConfig(looks=40)
    made = recipes(config)
    assert [one.name for one in made] == [one.name for one in recipes(config)]
    assert len({one.name for one in made}) == len(made) == 1 + 5 + 40
    used = {name for one in made for name in one.variations}
    assert used == set(VARIATIONS) - {"mirror"}
    assert max(len(one.variations) for one in made) == config.mix


def test_recipe_gives_the_same_frames_again_and_a_still_holds_its_frame() -> None:
    frames = np.random.default_rng(1).integers(0, 255, (12, 120, 160, 3)).astype(np.uint8)
    heads = np.tile(np.array([10, 10, 40, 50], dtype=np.float32), (12, 1))
    source, best = Shot(frames, heads, 4.0), Still(view(5, 0.1), 1, 1, 1, 1)
    config = AugmentConfig(clip_frames=6)
    for recipe in recipes(config)[:12]:
        one, again = (cook(recipe, source, best, config) for _ in range(2))
        assert np.array_equal(one.frames, again.frames) and len(one.frames) == 6
    held = cook(dataclasses.replace(recipes(config)[1], variations=()), source, best, config)
    assert all(np.array_equal(frame, frames[5]) for frame in held.frames)


def made(role: Any, number: int, kept: bool = True) -> Made:
    return Made(f"clips/{number:016x}.mp4", "0" * 64, "clip", "a", role, 0.9, kept)


def test_who_is_not_there_is_refused_in_every_kind_and_kinds_are_in_balance() -> None:
    clips = [made("positive", 1), made("similar", 2), made("random", 3), made("positive", 4, kept=False)]
    rows = rows_of(clips, AugmentConfig(questions_each=3), "Anna", {})
    kinds = [row["kind"] for row in rows]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == dict.fromkeys(
        ("existence", "action", "appearance", "location"), 12
    )
    assert all(slots_in(row["answer"]) == row["target"] for row in rows)
    for row in rows:
        assert problem(row) == ""
        assert row["clip"] != clips[3].file and "Anna" not in row["question"] + row["answer"]
        if row["kind"] == "existence":
            assert row["target"]["verdict"] == ("yes" if row["present"][0] else "no")
        else:
            assert row["target"] == {"refused": "yes"}, "nobody knows what they do or wear"


def test_folder_makes_again_only_what_is_missing_or_damaged(tmp_path: Path) -> None:
    count = []

    def take() -> tuple[Shot, float]:
        count.append(1)
        return Shot(
            np.full((2, 32, 32, 3), 90, dtype=np.uint8), np.zeros((2, 4), dtype=np.float32), 4.0
        ), 0.87654

    def run(*keys: str) -> list[Made]:
        folder = Folder(tmp_path)
        found = [
            folder.clip((key,), take, lambda alike: alike > 0.5, recipe=key, origin="o", role="positive")
            for key in keys
        ]
        folder.finish({"seed": 1}, [{"clip": one.file} for one in found], "# sheet\n")
        return found

    first = run("a", "b")
    assert run("a", "b") == first and len(count) == 2
    (tmp_path / first[0].file).write_bytes(b"damaged")
    assert run("a", "b") == first and len(count) == 3
    assert [one.recipe for one in run("b")] == ["b"]
    assert [path.name for path in (tmp_path / "clips").iterdir()] == [Path(first[1].file).name]
    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert set(index["files"]) == {"qa.jsonl", "DATASHEET.md"}
    (tmp_path / "index.json").write_text("{", encoding="utf-8")
    with pytest.raises(ContentError, match="no index"):
        Folder(tmp_path)


def test_public_files_are_read_before_and_after_their_last_step(tmp_path: Path) -> None:
    pair = {"question": "Is <sks> here?", "answer": "<sks> is.", "is_special": True}
    video = {"video_path": "x.mp4", "sks_present": "Ross", "is_positive": False, "qa_pairs": [pair]}
    named = {**video, "is_positive": True, "qa_pairs": [{**pair, "question": "Is Ross here?"}]}
    for key in ("videos", "data"):
        path = tmp_path / f"{key}.json"
        path.write_text(json.dumps({key: [video, named]}), encoding="utf-8")
        absent, there = read_public(path)
        assert (absent.positive, there.positive, there.name) == (False, True, "Ross")
        assert absent.pairs == there.pairs == (("Is <p1> here?", "<p1> is.", True),)
        assert absent.video == tmp_path / "x.mp4"
    path.write_text(json.dumps({"videos": [{"video_path": "x"}]}), encoding="utf-8")
    with pytest.raises(ContentError, match="video 0 lacks"):
        read_public(path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ContentError, match="neither"):
        read_public(path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    world = sample_household(5, members=2)
    script = dataclasses.replace(reference_script(world, world.members[0]), fps=4.0)
    write_clip(folder, script)
    return folder / f"{script.clip_id}.mp4"


def test_program_makes_a_dataset_of_a_rendered_person_and_says_what_it_dropped(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(QUICK, encoding="utf-8")
    command = [
        "--clip",
        str(clip),
        "--out",
        str(tmp_path / "d"),
        "--base",
        str(BASE),
        "--config",
        str(config),
    ]
    command += ["--age-group", "elderly"]
    assert main([*command, "--subject", "Anna"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["clips_positive"] + line["clips_dropped"] == 1 + 2 + 3
    assert line["clips_positive"] >= 4, "most variations keep who it is"
    assert (line["clips_look_alike"], line["clips_random"]) == (2, 1)
    assert line["questions"] == 4 * 2 * max(line["clips_positive"], 3)
    rows = list(read_rows(tmp_path / "d" / "qa.jsonl"))
    assert sum(row["present"][0] for row in rows) == len(rows) / 2, "yes as often as no"
    index = json.loads((tmp_path / "d" / "index.json").read_text(encoding="utf-8"))
    source = next(one for one in index["clips"] if one["recipe"] == "clip")
    assert source["likeness"] > 0.8
    assert all(one["likeness"] < source["likeness"] for one in index["clips"] if one["role"] != "positive")
    worn = json.loads(clip.with_suffix(".json").read_text(encoding="utf-8"))["people"][0]["clothes"]
    looks = index["attributes"][clip.name]
    assert looks["age_group"] == "elderly" and looks["gender"] == "unknown"
    assert looks["top_color"] in (worn["top_colour"], "unknown") and looks["hair_style"] != "unknown"
    for one in index["clips"]:
        assert len(read_video(tmp_path / "d" / one["file"], fps=4.0).clip.frames) >= 3
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "d" / "clips").iterdir()}
    before = (tmp_path / "d" / "qa.jsonl").read_bytes()
    assert main([*command, "--subject", "Anna"]) == 0
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "d" / "clips").iterdir()}
    assert before == (tmp_path / "d" / "qa.jsonl").read_bytes()
    assert show([str(tmp_path / "d")]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (shown["clips"], shown["questions"]) == (len(index["clips"]), line["questions"])
    sheet = cv2.imread(shown["sheet"])
    assert sheet is not None and sheet.shape[1] == 4 * (3 * 128 + 8) and sheet.std() > 20
    assert "clip(s) of the person" in (tmp_path / "d" / "DATASHEET.md").read_text(encoding="utf-8")


def test_contact_sheet_has_a_section_for_each_part_and_stretches_nothing(tmp_path: Path) -> None:
    def clip(number: int, **about: Any) -> dict[str, Any]:
        file = f"{number}.mp4"
        write_video(tmp_path / file, np.full((4, 96, 48, 3), 60, dtype=np.uint8), 4.0)
        about = {
            "role": "positive",
            "kept": True,
            "likeness": 0.9,
            "recipe": "clip",
            "origin": "Ömer.mp4",
        } | about
        return {"file": file, **about}

    clips = [
        clip(1),
        clip(2, kept=False, likeness=-1.0),
        clip(3, role="similar"),
        *(clip(n) for n in range(4, 8)),
    ]
    sheet = contact_sheet(tmp_path, clips, "Ann: 7 clips")
    rows = 2 + 1 + 1  # five of the person, one of somebody else, one dropped
    assert sheet.shape == (34 + 3 * 30 + rows * 128, 4 * (3 * 128 + 8), 3)
    tile = sheet[34 + 30 : 34 + 30 + 96, :128].astype(int)
    upright = np.abs(tile - 60).max(axis=(0, 2)) < 16
    assert upright.sum() == 48 and upright[40:88].all(), "96 x 48 pixels in the middle of 128"
    red = np.abs(sheet.astype(int) - (200, 40, 40)).max(axis=-1) < 8
    assert red[-158:].any() and not red[:-158].any(), "only what was dropped is red, and it comes last"


def test_folder_without_an_index_cannot_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show([str(tmp_path)]) == 5
    assert "is no dataset" in capsys.readouterr().err


def test_clip_of_nobody_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "wall.mp4", np.full((8, 96, 128, 3), 90, dtype=np.uint8), 4.0)
    code = main(["--clip", str(tmp_path / "wall.mp4"), "--out", str(tmp_path / "d"), "--base", str(BASE)])
    assert code == 5
    assert "shows nobody" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()
