"""Claims about generators of others: real pipelines of random weights, real programs, nothing downloaded."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.errors import ConfigError, ContentError, UsageError
from runtime.contract.settings import parse_settings
from runtime.people.views import PersonView
from tests.train.test_gallery import Halves, unit
from train.augment.dataset.attributes import Attributes
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.eyes import Eyes
from train.augment.dataset.folder import Folder, Made
from train.augment.dataset.generated import counts_of, generated
from train.augment.generate.build import build, orders
from train.augment.generate.command import CommandGenerator
from train.augment.generate.config import GeneratorConfig
from train.augment.generate.order import Order
from train.augment.generate.prompts import scenes
from train.world.files import write_video

# What a user's own program may be: it holds the picture, brighter by the seed, or as bright as the driver is.
PROGRAM = """
import sys
import cv2, numpy as np
from pathlib import Path
source, driver, prompt, seed, frames, out = sys.argv[1:]
still = cv2.imread(source)
assert prompt.startswith("A") and " " in prompt and list(Path.cwd().iterdir()) == [Path(source)]
if driver:
    capture = cv2.VideoCapture(driver)
    still = still * 0 + capture.read()[1].mean().astype(np.uint8)
    capture.release()
if seed == "7":
    cv2.imwrite(out + ".png", still)
else:
    writer = cv2.VideoWriter(out + ".mp4", cv2.VideoWriter_fourcc(*"mp4v"), 8.0, still.shape[1::-1])
    for _ in range(int(frames)):
        writer.write(still)
    writer.release()
"""
WORDS = ("{source}", "{driver}", "{prompt}", "{seed}", "{frames}", "{out}")
PYTHON = (sys.executable, "-c")
STILL = np.full((48, 80, 3), 64, dtype=np.uint8)


@pytest.fixture
def program(tmp_path: Path) -> GeneratorConfig:
    path = tmp_path / "portrait.py"
    path.write_text(PROGRAM, encoding="utf-8")
    command = (sys.executable, str(path), *WORDS)
    return GeneratorConfig(
        "command", "portrait", "a licence", command=command, frames=9, count=2, timeout_s=60.0
    )


def order(**changes: Any) -> Order:
    return dataclasses.replace(Order("scene1", STILL, "A person waves", None, 1), **changes)


def test_program_gets_picture_words_and_seed_and_its_video_or_picture_is_taken(
    program: GeneratorConfig,
) -> None:
    made, fps = CommandGenerator(program).generate(order())
    assert (made.shape, fps) == ((9, 48, 80, 3), 8.0)
    assert abs(float(made.mean()) - 64) < 4
    picture, _ = CommandGenerator(program).generate(order(seed=7))
    assert picture.shape == (1, 48, 80, 3)


def test_program_takes_the_motion_of_a_driver(program: GeneratorConfig, tmp_path: Path) -> None:
    driver = tmp_path / "nod.mp4"
    write_video(driver, np.full((4, 48, 64, 3), 200, dtype=np.uint8), 4.0)
    config = dataclasses.replace(program, drivers=(driver,))
    (wanted,) = orders(config, STILL, "a person", "unknown", 3)
    made, _ = CommandGenerator(config).generate(wanted)
    assert wanted.name == "nod" and abs(float(made.mean()) - 200) < 8
    with pytest.raises(UsageError, match=r"driver .*gone\.mp4 does not exist"):
        build([dataclasses.replace(program, drivers=(tmp_path / "gone.mp4",))])


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("no-such-program-here", "{source}", "{out}"), UsageError, "cannot be started"),
        ((*PYTHON, "raise SystemExit('no face')", "{source}", "{out}"), ContentError, "1: no face"),
        ((*PYTHON, "", "{source}", "{out}"), ContentError, "neither out.mp4 nor out.png"),
        ((*PYTHON, "import time; time.sleep(9)", "{source}", "{out}"), ContentError, "longer than 1 s"),
    ],
)  # fmt: skip
def test_program_that_fails_is_one_error_that_says_why(
    program: GeneratorConfig, words: tuple[str, ...], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        CommandGenerator(dataclasses.replace(program, command=words, timeout_s=1.0)).generate(order())
    assert getattr(caught.value, "next_step", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "{source}", "{out}", "{face}"), "placeholder {face}"),
        (("run", "{source}"), "lacks {out}"),
        (("run", "{out}"), "lacks {source}"),
        (("run", "{source}", "{out"), "no word with placeholders"),
    ],
)
def test_command_that_cannot_work_is_refused_before_anything_is_made(
    program: GeneratorConfig, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        build([dataclasses.replace(program, command=words)])


def test_generators_are_configured_by_name_and_named_with_their_licence(tmp_path: Path) -> None:
    table = {
        "kind": "command",
        "name": "live-portrait",
        "licence": "MIT",
        "command": ["run", "{source}", "{out}"],
    }
    config = parse_settings({"generators": [table]}, AugmentConfig, where="x")
    assert [one.name for one, _ in build(config.generators)] == ["live-portrait"]
    assert AugmentConfig().generators == ()
    wrongs: list[dict[str, Any]] = [
        {"licence": ""}, {"command": []}, {"name": "../up"}, {"frames": 0}, {"width": 100},
        {"kind": "consisid"},
    ]  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(ConfigError):
            parse_settings({"generators": [{**table, **wrong}]}, AugmentConfig, where="x")
    with pytest.raises(UsageError, match="two generators have one name"):
        build(config.generators * 2)
    nowhere = GeneratorConfig("consisid", "consisid", weights=tmp_path / "none")
    with pytest.raises(UsageError, match="no pipeline in") as caught:
        build([nowhere])
    assert "yourself" in caught.value.next_step


def test_scenes_suit_the_age_and_come_once_while_they_last() -> None:
    rng = np.random.default_rng(1)
    for_child = scenes("child", 10, rng)
    assert len(set(for_child)) == 10
    assert not set(scenes("elderly", 14, rng)) & {one for one in scenes("child", 16, rng) if "blocks" in one}
    assert len(scenes("unknown", 30, rng)) == 30


def dataset(
    tmp_path: Path, config: GeneratorConfig, still: NDArray[np.uint8] = STILL
) -> tuple[list[Made], list[dict[str, object]]]:
    """What a generator gives to somebody who looks like the still, in a folder that stays."""
    person = [PersonView(0, 0.0, 0, (0, 0, 1, 1), (0, 0, 1, 1), unit(1.0), 0.9, "face")]
    generators = build([config])
    folder = Folder(tmp_path / "d")
    made = generated(
        folder, generators, "a.mp4", "0" * 64, still, Attributes(age_group="elderly"), person,
        cast(Eyes, Halves()), AugmentConfig(clip_frames=4, seed=6), 0.99, lambda done, total: None,
    )  # fmt: skip
    folder.finish({}, [], "")
    return made, counts_of([generator for _, generator in generators], made)


def test_every_generated_clip_is_looked_at_and_one_of_somebody_else_is_dropped_and_counted(
    program: GeneratorConfig, tmp_path: Path
) -> None:
    made, counts = dataset(tmp_path, program)  # seeds 6 and 7: a video and a picture
    assert [(one.recipe, one.kept) for one in made] == [("portrait+scene1", True), ("portrait+scene2", True)]
    assert counts == [{"name": "portrait", "licence": "a licence", "kept": 2, "dropped": 0}]
    other = tmp_path / "other.mp4"
    write_video(other, np.full((4, 48, 64, 3), 160, dtype=np.uint8), 4.0)
    made, counts = dataset(tmp_path, dataclasses.replace(program, drivers=(other,)))
    assert [one.kept for one in made] == [False] and made[0].likeness < 0.5
    assert (counts[0]["kept"], counts[0]["dropped"]) == (0, 1)


def test_generated_clip_is_not_generated_again(program: GeneratorConfig, tmp_path: Path) -> None:
    first, _ = dataset(tmp_path, program)
    Path(program.command[1]).write_text("raise SystemExit(1)", encoding="utf-8")
    assert dataset(tmp_path, program)[0] == first
    with pytest.raises(ContentError, match="ended with 1"):
        dataset(tmp_path, dataclasses.replace(program, frames=5))
