"""Claims about clips on disk."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.errors import ContentError
from train.world.dataset import query_scripts, reference_script
from train.world.files import read_scripts, write_clip
from train.world.household import identity_at, sample_household
from train.world.sample import sample_script
from train.world.scene import frame_truth, render_clip
from train.world.script import Script
from train.world.sight import sights


def _script(clip_id: str = "one", seed: int = 3) -> Script:
    people = [identity_at("train", 0), identity_at("train", 1)]
    return sample_script(
        np.random.default_rng(seed),
        people=people,
        person_ids=["ann", "bob"],
        duration_s=0.5,
        clip_id=clip_id,
        hidden=False,
        night=False,
        started_at=99.0,
    )


def _decode(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        frames: NDArray[np.uint8] = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(stream)])
    return frames


def test_a_written_clip_is_read_back_with_its_frames_and_its_script(tmp_path: Path) -> None:
    script = _script()
    others = {"ann": identity_at("train", 0), "zoe": identity_at("train", 2)}
    video = write_clip(tmp_path, script, others)
    (record,) = read_scripts(tmp_path)
    assert record.script == script and record.video == video and video.name == "one.mp4"
    assert (record.room, record.started_at, record.fps) == (script.room.kind, 99.0, 12.0)
    assert [one.person_id for one in record.people] == ["ann", "bob"]
    assert [one.action for one in record.people] == [person.action for person in script.people]
    assert record.people[0].clothes["top_colour"] == script.people[0].clothes.top_colour
    assert set(record.people[0].decidable_from) == {"zoe"}
    assert set(record.people[1].decidable_from) == {"ann", "zoe"}
    assert set(record.people[0].visible) == set(sights(script)["ann"].traits)
    drawn, _ = render_clip(script)
    decoded = _decode(video)
    assert decoded.shape == drawn.frames.shape == (6, 288, 384, 3)
    assert np.abs(decoded.astype(int) - drawn.frames).mean() < 12


def test_clips_come_in_the_order_of_their_names_and_other_json_is_passed_over(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_clip(tmp_path, _script(name))
    (tmp_path / "household.json").write_text('{"seed": 1}', encoding="utf-8")
    assert [record.clip_id for record in read_scripts(tmp_path)] == ["a", "b"]


_FOREIGN = {
    "version": 1,
    "clip_id": "kitchen-3",
    "started_at": 5,
    "duration_s": 2.0,
    "fps": 25,
    "room": "garage",
    "people": [
        {"person_id": "p", "action": "juggling", "clothes": {"top_colour": "mauve"}, "decidable": False}
    ],
}


def test_a_clip_of_another_renderer_needs_no_drawing(tmp_path: Path) -> None:
    (tmp_path / "kitchen-3.json").write_text(json.dumps(_FOREIGN), encoding="utf-8")
    (record,) = read_scripts(tmp_path)
    assert record.script is None and record.video == tmp_path / "kitchen-3.mp4"
    person = record.people[0]
    assert (record.room, person.action, person.clothes) == ("garage", "juggling", {"top_colour": "mauve"})
    assert person.decidable is False and person.visible == {}


def test_a_video_outside_the_folder_is_looked_for_inside(tmp_path: Path) -> None:
    data = _FOREIGN | {"video": "../../elsewhere.mp4"}
    (tmp_path / "x.json").write_text(json.dumps(data), encoding="utf-8")
    assert read_scripts(tmp_path)[0].video == tmp_path / "elsewhere.mp4"


@pytest.mark.parametrize("field", ["version", "started_at", "duration_s", "fps", "room", "people"])
def test_a_clip_that_lacks_a_mandatory_field_is_refused_by_name(tmp_path: Path, field: str) -> None:
    data = {name: value for name, value in _FOREIGN.items() if name != field}
    (tmp_path / "x.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ContentError, match=field):
        read_scripts(tmp_path)


@pytest.mark.parametrize("field", ["person_id", "action", "clothes", "decidable"])
def test_a_person_that_lacks_a_mandatory_field_is_refused_by_name(tmp_path: Path, field: str) -> None:
    person = {"person_id": "p", "action": "juggling", "clothes": {}, "decidable": True}
    del person[field]
    (tmp_path / "x.json").write_text(json.dumps(_FOREIGN | {"people": [person]}), encoding="utf-8")
    with pytest.raises(ContentError, match=field):
        read_scripts(tmp_path)


def test_a_file_that_is_not_json_and_a_folder_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="missing"):
        read_scripts(tmp_path / "missing")
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(ContentError, match=r"x\.json"):
        read_scripts(tmp_path)


def test_a_reference_clip_shows_the_face_from_the_front_and_both_sides_uncovered() -> None:
    world = sample_household(7)
    for member in world.members:
        script = reference_script(world, member)
        truths = [frame_truth(script, t_s)[0] for t_s in np.arange(16) / 4]
        yaws = [truth.head_yaw_deg for truth in truths]
        assert min(yaws) < -50 and max(yaws) > 50 and min(abs(yaw) for yaw in yaws) < 15
        assert all(truth.head_visible > 0.9 for truth in truths)
        assert min(truth.head_height_px for truth in truths) > 45
        assert not script.light.night


def test_query_clips_hold_everybody_both_rooms_empty_rooms_and_a_pair() -> None:
    world = sample_household(7)
    scripts = query_scripts(world)
    assert len({script.clip_id for script in scripts}) == len(scripts)
    assert {script.room.kind for script in scripts} == {"kitchen", "living_room"}
    alone = {script.people[0].person_id for script in scripts if len(script.people) == 1}
    assert alone == {member.person_id for member in world.everybody()}
    assert sum(not script.people for script in scripts) == 2
    assert sum(len(script.people) == 2 for script in scripts) == 1
    assert any(script.light.night for script in scripts)


def test_the_command_writes_a_household_and_one_line_of_json(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "train.world",
        str(tmp_path),
        "--seed",
        "3",
        "--members",
        "1",
        "--clips",
        "1",
    ]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    folder = tmp_path / "household-0003"
    records = read_scripts(folder)
    assert summary["clips"] == len(records) == len(list(folder.glob("*.mp4")))
    about = json.loads((folder / "household.json").read_text(encoding="utf-8"))
    assert about["members"][0]["name"] == "Grandma"
    assert len(about["look_alike"]["differs_in"]) == 3
