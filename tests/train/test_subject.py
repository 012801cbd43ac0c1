from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import runtime
from runtime.adapters import read_adapter, write_adapter
from runtime.contract.adapter import Adapter
from runtime.contract.errors import BundleError
from runtime.contract.pixels import PixelSpec
from runtime.video import read_video
from train.checkpoint import CALIBRATION, adapter_shapes, fingerprint, load_base, read_calibration
from train.model.pvchat import ModelConfig
from train.subject.__main__ import main
from train.subject.config import SubjectConfig
from train.subject.evidence import Evidence, bridge_evidence
from train.subject.footage import head_template, lessons, other_windows, own_windows
from train.subject.instant import instant_adapter
from train.subject.learn import Outcome, SubjectRows, learn
from train.windows import encode_window
from train.world.dataset import reference_script
from train.world.files import write_clip
from train.world.household import sample_household
from train.world.sample import sample_script

BASE = Path(runtime.__file__).parent / "base_bundle" / "checkpoint"
QUICK = "image_steps = 2\nvideo_steps = 3\nbatch = 4\npool = 3\nnegatives = 4\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    world = sample_household(3)
    script = reference_script(world, world.members[0])
    write_clip(folder, script)
    return folder / f"{script.clip_id}.mp4"


@pytest.fixture(scope="module")
def instant(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instant adapter, made by the same forward pass as on the box."""
    model, _ = load_base(BASE)
    frames = read_video(clip, fps=PixelSpec().window_fps).clip.frames
    adapter = instant_adapter(model, frames, fingerprint(BASE), "s" + "1" * 32)
    path = tmp_path_factory.mktemp("adapter") / "instant.safetensors"
    write_adapter(path, adapter)
    return path


def _train(clip: Path, instant: Path, out: Path, settings: str, *more: str) -> int:
    config = out.with_suffix(".toml")
    config.write_text(settings)
    return main(
        [
            *("--base", str(BASE), "--clip", str(clip), "--adapter", str(instant), "--out", str(out)),
            *("--release", "2", "--config", str(config), "--threads", "1", *more),
        ]
    )


def _read(path: Path) -> Adapter:
    return read_adapter(path, base=fingerprint(BASE), shapes=adapter_shapes(ModelConfig()))[0]


def test_training_moves_this_persons_rows_and_nothing_else(
    clip: Path, instant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trained.safetensors"
    assert _train(clip, instant, out, QUICK) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    before, after = _read(instant), _read(out)
    assert after.release == 2
    assert line["steps"] == 5
    assert line["kept"] == after.kind
    for name in ("soft_tokens", "token", "views.head"):
        assert np.array_equal(before.arrays[name], after.arrays[name])
    moved = not np.array_equal(before.arrays["queries"], after.arrays["queries"])
    assert moved is (after.kind == "trained")


def test_a_training_that_made_it_worse_keeps_the_instant_adapter(
    clip: Path,
    instant: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoilt(*args: Any, **options: Any) -> Outcome:
        good = learn(*args, **options)
        return dataclasses.replace(good, trained_loss=good.instant_loss + 0.1)

    monkeypatch.setattr("train.subject.__main__.learn", spoilt)
    out = tmp_path / "spoilt.safetensors"
    assert _train(clip, instant, out, QUICK) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["kept"] == "instant"
    assert _read(out).kind == "instant"
    assert np.array_equal(_read(instant).arrays["queries"], _read(out).arrays["queries"])


@pytest.fixture(scope="module")
def judge() -> Evidence:
    """How the shipped base judges."""
    return bridge_evidence(read_calibration(BASE / CALIBRATION))


def test_what_the_instant_adapter_gets_right_keeps_its_evidence_and_the_published_loss_moves_it(
    clip: Path, instant: Path, judge: Evidence
) -> None:
    config = SubjectConfig(video_steps=30, pool=3, negatives=4)
    model, adapter, spec = load_base(BASE)[0], _read(instant), PixelSpec()
    template, frames = head_template(adapter), read_video(clip, fps=spec.window_fps).clip.frames
    own = own_windows(model, frames, template, spec, config, still=False)
    taught = lessons(own, other_windows(model, template, spec, config), config)
    windows = taught.own + taught.others

    def evidence_of(one: Adapter) -> torch.Tensor:
        with torch.no_grad():
            return judge.of(SubjectRows(one, config.seed).presence(model, windows), windows)

    def moved(by: Evidence | None) -> torch.Tensor:
        """How far training moves each window's evidence."""
        outcome = learn(
            model, adapter, [("video", taught, config.video_steps)], config, evidence=by, until=np.inf,
            progress=lambda done, total: None,
        )  # fmt: skip
        after = dataclasses.replace(adapter, arrays={**adapter.arrays, **outcome.arrays})
        return (evidence_of(after) - first).abs()

    first = evidence_of(adapter)
    present = torch.tensor([1.0] * len(taught.own) + [0.0] * len(taught.others))
    settled = judge.settled(first, present)
    assert settled.sum() > len(settled) / 2
    assert moved(judge)[settled].mean() < moved(None)[settled].mean() / 2


def test_evidence_is_settled_where_the_box_would_say_the_right_thing(judge: Evidence) -> None:
    sure = torch.tensor([9.0, 9.0, -9.0, -9.0, 0.0, 0.0])
    there = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    assert judge.settled(sure, there).tolist() == [True, False, False, True, False, False]


def test_evidence_is_what_the_box_makes_of_a_score_but_for_slips(clip: Path, judge: Evidence) -> None:
    model, spec = load_base(BASE)[0], PixelSpec()
    frames = read_video(clip, fps=spec.window_fps).clip.frames
    windows = [encode_window(model, part, spec) for part in (frames[:4], frames[4:8])]
    scores = torch.tensor([1.5, -3.0])
    exact = dataclasses.replace(judge.source, slip=0.0)
    wanted = [
        exact.llr(float(score), max(view.quality for view in window.tokens.views))
        for score, window in zip(scores, windows, strict=True)
    ]
    assert judge.of(scores, windows).tolist() == pytest.approx(wanted, abs=1e-5)


def test_a_clip_of_an_empty_room_is_refused(
    instant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = sample_script(np.random.default_rng(1), people=[], night=False, duration_s=3.0, clip_id="empty")
    write_clip(tmp_path, script)
    assert _train(tmp_path / "empty.mp4", instant, tmp_path / "no.safetensors", QUICK) == 5
    assert "does not show the person" in capsys.readouterr().err
    assert not (tmp_path / "no.safetensors").exists()


def test_a_person_enrolled_from_faces_alone_is_refused_before_anything_is_rendered(
    clip: Path, instant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = _read(instant)
    arrays = dict(adapter.arrays)
    arrays["views.face"] = arrays.pop("views.head")
    faces = tmp_path / "faces.safetensors"
    write_adapter(faces, dataclasses.replace(adapter, arrays=arrays))
    assert _train(clip, faces, tmp_path / "no.safetensors", QUICK) == 5
    assert "ordinary footage" in capsys.readouterr().err
    assert not (tmp_path / "no.safetensors").exists()


@pytest.mark.parametrize("calibration", [None, b"{}", b"{", b"[]"])
def test_a_base_without_a_calibration_is_refused(tmp_path: Path, calibration: bytes | None) -> None:
    path = tmp_path / CALIBRATION
    if calibration is not None:
        path.write_bytes(calibration)
    with pytest.raises(BundleError, match="cannot read" if calibration is None else "is no calibration"):
        read_calibration(path)


def test_an_unknown_setting_is_named(
    clip: Path, instant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(clip, instant, tmp_path / "no.safetensors", "video_stepz = 3\n") == 2
    assert "video_steps" in capsys.readouterr().err
