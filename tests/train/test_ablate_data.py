"""Claims about the data ablation, on the shipped base and one person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runtime
from train.ablate import __main__ as ablate
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


def test_data_table_needs_a_base_alone_and_its_figures_are_kept_for_that_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[int] = []

    def run(model: PVChat, base: str, variants: Any, seed: int, *_: Any) -> dict[str, dict[str, float]]:
        assert base == fingerprint(BASE)
        ran.append(seed)
        figures = {"present": 0.5, "absent": seed / 4, "accuracy": 0.5, "seconds": 1.0}
        return {one.label: figures for one in variants}

    monkeypatch.setattr(ablate, "run_people", run)
    words = [
        "configs/train/tiny.toml", "--tables", "data", "--base", str(BASE), "--work", str(tmp_path / "none"),
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    lines = []
    for _ in range(2):
        assert ablate.main(words) == 0
        lines.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert ran == [1, 2, 3] and lines[0] == lines[1]
    kept = sorted(path.name for path in (tmp_path / "out").glob("*.json"))
    assert kept == [f"data-{fingerprint(BASE)[:12]}-10-seed{seed}.json" for seed in ran]


def test_person_has_a_reference_clip_and_windows_of_both_kinds(model: PVChat) -> None:
    person = sample_person(model, 1, 0, fingerprint(BASE))
    assert person is not None
    assert (len(person.present), len(person.absent)) == (4, 10)
    assert len(person.frames) == 16
