"""Claims about the data ablation, on the shipped base and one person."""

from __future__ import annotations

from pathlib import Path

import pytest

import runtime
from train.ablate.subject_run import run_people, sample_person
from train.ablate.tables import data_markdown
from train.ablate.variants import DATA_VARIANTS
from train.checkpoint import fingerprint, load_base
from train.model.pvchat import PVChat
from train.subject.config import SubjectConfig

BASE = Path(runtime.__file__).parent / "base_bundle" / "checkpoint"
CONFIG = SubjectConfig(image_steps=6, video_steps=14, batch=4, pool=3, negatives=4, copies=2, leash=0.0)


@pytest.fixture(scope="module")
def model() -> PVChat:
    return load_base(BASE)[0]


def test_every_amount_is_learned_from_and_without_negatives_everybody_looks_more_like_the_person(
    model: PVChat,
) -> None:
    """Training on the clip alone raises the share of yes, on this person as on others."""
    figures = run_people(model, fingerprint(BASE), DATA_VARIANTS, 2, 1, CONFIG, lambda done, total: None)
    assert list(figures) == [one.label for one in DATA_VARIANTS]
    for row in figures.values():
        assert row["accuracy"] == pytest.approx((row["present"] + row["absent"]) / 2)
    instant, alone, beside, _ = (figures[one.label] for one in DATA_VARIANTS)
    assert alone["absent"] <= beside["absent"]
    assert alone["present"] >= instant["present"]
    text = data_markdown({label: [row] * 3 for label, row in figures.items()}, 1)
    assert all(label in text for label in figures)


def test_person_has_a_reference_clip_and_windows_of_both_kinds(model: PVChat) -> None:
    person = sample_person(model, 1, 0, fingerprint(BASE))
    assert person is not None
    assert (len(person.present), len(person.absent)) == (4, 10)
    assert len(person.frames) == 16
