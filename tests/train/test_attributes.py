"""Claims about a person's looks: read where a base can, told by the household, unknown everywhere else."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from runtime.contract.errors import UsageError
from runtime.people.views import PersonView
from train.augment.dataset.ask import rows_of
from train.augment.dataset.attributes import UNKNOWN, Attributes, NoReader, TraitReader, described, told
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.folder import Made
from train.base.signs import BODY_SIGNS
from train.base.trait_readout import TRAIT_SIZES
from train.base.world_data import COLOUR_NAMES
from train.world.palette import BOTTOM_COLOURS
from train.world.script import BOTTOM_KINDS, TOP_KINDS
from train.world.traits import HEAD_TRAITS, TRAITS

DAY = np.stack([np.full((288, 384), level, dtype=np.uint8) for level in (200, 120, 40)], axis=-1)[None]
DRESSED = Attributes(top_color="red", top_kind="sweater", bottom_color="blue", bottom_kind="trousers")


def base(**values: str) -> Any:
    """A base whose read-outs are sure of these traits of every head, and of no other."""
    logits = [
        torch.tensor([9.0 * (value == values.get(name)) for value in TRAITS[name].values])
        for name in HEAD_TRAITS
    ]
    said = torch.cat(logits)
    traits = SimpleNamespace(sizes=TRAIT_SIZES, read=lambda embeddings: said.expand(len(embeddings), -1))
    return SimpleNamespace(bridge=SimpleNamespace(traits=traits))


def signs(feet: float, **values: str) -> NDArray[np.float32]:
    """What a body encoder says that is sure of these clothes; the neck is 1 head below the head's middle."""
    tables = {"top": COLOUR_NAMES, "kind": TOP_KINDS, "bottom": BOTTOM_COLOURS, "bottom_kind": BOTTOM_KINDS}
    parts = []
    for name, size in BODY_SIGNS.items():
        if name == "joints":
            parts.append(np.array([[0, 0], [0, 1], *[[0, 2]] * 4, [0, feet], [0, feet]]).ravel())
        else:
            parts.append(
                np.array([9.0 * (values.get(name) == v) for v in tables.get(name, ())] or [0.0] * size)
            )
    return np.concatenate(parts).astype(np.float32)


def head(said: NDArray[np.float32] | None) -> PersonView:
    return PersonView(
        0, 0.0, 0, (100, 20, 40, 40), (80, 20, 80, 200), np.eye(128, dtype=np.float32)[0], 0.9, "head", said
    )


WORN = {"top": "teal", "kind": "striped", "bottom": "black", "bottom_kind": "skirt"}


def test_reader_tells_what_it_is_sure_of_and_nobody_gets_an_age_or_a_gender() -> None:
    reader = TraitReader(base(hair_colour="grey", hair_style="curly", glasses="none"))
    read = reader.read([head(signs(5.0, **WORN))], DAY)
    assert read.known() == {
        "hair_colour": "grey", "hair_style": "curly", "glasses": "none", "top_color": "teal",
        "top_kind": "striped", "bottom_color": "black", "bottom_kind": "skirt",
    }  # fmt: skip
    assert (read.age_group, read.gender, read.beard, read.get("beard")) == (UNKNOWN, UNKNOWN, UNKNOWN, None)


def test_infrared_has_no_colours_and_a_bald_head_has_no_hair() -> None:
    night = np.full((1, 288, 384, 3), 90, dtype=np.uint8)
    seen = [head(signs(5.0, **WORN))]
    read = TraitReader(base(hair_colour="grey", hair_style="bald")).read(seen, DAY)
    assert (read.hair_style, read.hair_colour) == ("bald", UNKNOWN)
    read = TraitReader(base(hair_colour="grey", hair_style="bun")).read(seen, night)
    assert read.known() == {"hair_style": "bun", "top_kind": "striped", "bottom_kind": "skirt"}


def test_what_is_worn_below_the_picture_is_unknown() -> None:
    read = TraitReader(base()).read([head(signs(12.0, **WORN))], DAY)
    assert read.known() == {"top_color": "teal", "top_kind": "striped"}


def test_readings_that_contradict_each_other_are_none() -> None:
    blue, red = (head(signs(5.0, **{**WORN, "top": colour})) for colour in ("blue", "red"))
    read = TraitReader(base()).read([blue, replace(red, frame=0)], DAY)
    assert (read.top_color, read.top_kind) == (UNKNOWN, "striped")


def test_ordinary_footage_has_no_reader_and_a_face_is_not_read_as_a_drawing() -> None:
    face = replace(head(None), source="face")
    for reader in (NoReader(), TraitReader(base(hair_colour="grey"))):
        assert set(asdict(reader.read([face], DAY)).values()) == {UNKNOWN}
    assert TraitReader(base()).read([head(None)], DAY) == Attributes()
    with pytest.raises(UsageError, match="not"):
        TraitReader(SimpleNamespace(bridge=SimpleNamespace(traits=SimpleNamespace(sizes=(2, 2)))))  # type: ignore[arg-type]


def test_what_the_household_says_counts_and_only_words_of_the_paper_are_taken() -> None:
    said = told(DRESSED, {"age_group": "elderly", "gender": None})
    assert (said.age_group, said.gender, said.top_color) == ("elderly", UNKNOWN, "red")
    with pytest.raises(UsageError, match="child, young, middle-aged, elderly"):
        told(DRESSED, {"age_group": "ancient"})


@pytest.mark.parametrize(
    ("looks", "text"),
    [
        (Attributes(), "a person"),
        (Attributes(age_group="child", gender="female"), "a girl"),
        (
            Attributes(age_group="elderly", hair_colour="grey", hair_style="side_part"),
            "an elderly person with grey side part hair",
        ),
        (
            Attributes(gender="male", hair_style="bald", beard="full"),
            "a man with a bald head and a full beard",
        ),
        (
            replace(DRESSED, glasses="none", beard="none"),
            "a person, wearing a red sweater and blue trousers",
        ),
        (
            replace(DRESSED, top_kind="striped", bottom_kind=UNKNOWN, glasses="round"),
            "a person with glasses, wearing a red striped top",
        ),
    ],
)
def test_prompt_names_what_is_known_and_nothing_else(looks: Attributes, text: str) -> None:
    assert described(looks) == text


def test_clothes_are_an_answer_only_where_the_clip_still_shows_them() -> None:
    def made(recipe: str, number: int, role: Any = "positive") -> Made:
        return Made(f"clips/{number:016x}.mp4", "0" * 64, recipe, "a.mp4", role, 0.9, True)

    config = AugmentConfig(questions_each=4)
    told_of = {"top_color": "red", "top_kind": "sweater", "bottom_color": "blue", "bottom_kind": "trousers"}
    clear = [made("clip", 1), made("still+yes", 2), made("clip+noise+pace#3", 3)]
    unclear = [made("clip+clothes", 4), made("clip+infrared", 5), made("clip+noise+occlusion#2", 6)]
    others = [made("still+yes", 7, "similar")]
    for clips, target in ((clear, told_of), (unclear, {"refused": "yes"}), (others, {"refused": "yes"})):
        for row in rows_of(clips, config, "Ann", {"a.mp4": DRESSED}):
            if row["kind"] == "appearance":
                assert row["target"] == target, row
    (top_only,) = {
        str(row["target"])
        for row in rows_of(clear[:1], config, "Ann", {"a.mp4": replace(DRESSED, bottom_color=UNKNOWN)})
        if row["kind"] == "appearance"
    }
    assert top_only == str({"top_color": "red", "top_kind": "sweater"})
