"""The self-test finds what does not compute as in the workshop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from runtime.adapters import adapter_from_bytes, write_adapter
from runtime.contract.bundle import (
    FP32,
    HALF,
    INT4,
    MANIFEST,
    W4A8,
    Bundle,
    EngineSpec,
    manifest_to_json,
)
from runtime.contract.pixels import to_vision_input
from runtime.engines.ort import CPU, OrtEngine
from runtime.session.selftest import CLIP_FRAMES, CLIP_OUT
from tests.fakes.tiny_bundle import make_bundle, write_bundle
from tests.fakes.tiny_home import TinyHome, open_tiny


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


def rebuilt(bundle: Bundle, root: Path, golden: dict[str, bytes]) -> Bundle:
    """The bundle with other golden files."""
    files = {
        entry.path: (bundle.path(entry.path).read_bytes(), entry.role)
        for entry in bundle.manifest.files
        if entry.role != "golden"
    }
    files.update({path: (raw, "golden") for path, raw in golden.items()})
    engines: dict[str, EngineSpec] = bundle.manifest.engines
    return write_bundle(root, files, engines, bundle.manifest.calibration)


def test_a_sound_bundle_passes(bundle: Bundle) -> None:
    assert open_tiny(bundle).selftest() == []


def test_an_output_that_moved_by_more_than_a_thousandth_is_named(bundle: Bundle, tmp_path: Path) -> None:
    raw = bundle.path("golden/0.safetensors").read_bytes()
    tensors = dict(safetensors.numpy.load(raw))
    tensors["bridge.out.presence"] = tensors["bridge.out.presence"] + np.float32(0.002)
    tensors["head.out.quality"] = tensors["head.out.quality"] + np.float32(0.0005)
    moved = rebuilt(bundle, tmp_path, {"golden/0.safetensors": safetensors.numpy.save(tensors)})
    (problem,) = open_tiny(moved).selftest()
    assert "bridge.presence differs by 0.002" in problem


def test_missing_and_foreign_golden_clips_are_problems(bundle: Bundle, tmp_path: Path) -> None:
    assert open_tiny(rebuilt(bundle, tmp_path / "a", {})).selftest() == ["the bundle has no golden clips."]
    odd = safetensors.numpy.save({"telepathy.in.x": np.zeros(1, np.float32)})
    (problem,) = open_tiny(rebuilt(bundle, tmp_path / "b", {"golden/0.safetensors": odd})).selftest()
    assert "telepathy" in problem
    (problem,) = open_tiny(rebuilt(bundle, tmp_path / "c", {"golden/0.safetensors": b"??"})).selftest()
    assert "cannot be read" in problem


def test_a_bridge_that_mixes_subjects_is_caught_by_the_canary(tmp_path: Path) -> None:
    (problem,) = open_tiny(make_bundle(tmp_path, leak=True)).selftest()
    assert problem == "canary: another subject changes presence, subject_rows."


def test_an_adapter_is_tried_in_place(bundle: Bundle, tmp_path: Path) -> None:
    home = TinyHome(open_tiny(bundle), tmp_path)
    home.enrol("ann")
    assert home.session.selftest(home.adapter("ann")) == []
    good = adapter_from_bytes(home.adapter("ann").read_bytes())
    write_adapter(home.adapter("ann"), replace(good, base="c" * 64))
    (problem,) = home.session.selftest(home.adapter("ann"))
    assert "was made for base" in problem
    long = {**good.arrays, "views.head": good.arrays["views.head"] * np.float32(9)}
    write_adapter(home.adapter("ann"), replace(good, arrays=long))
    (problem,) = home.session.selftest(home.adapter("ann"))
    assert "not of unit length" in problem


def rounding(bundle: Bundle, root: Path, precision: str, moved: np.float32) -> list[str]:
    """Problems where the bridge says in what it computes and its rows moved by a share."""
    tensors = dict(safetensors.numpy.load(bundle.path("golden/0.safetensors").read_bytes()))
    rows = tensors["bridge.out.subject_rows"]
    noise = np.random.default_rng(3).normal(size=rows.shape).astype(np.float32)
    scale = np.float32(np.linalg.norm(rows) / np.linalg.norm(noise))
    tensors["bridge.out.subject_rows"] = rows + moved * scale * noise
    made = rebuilt(bundle, root, {"golden/0.safetensors": safetensors.numpy.save(tensors)})
    engines = {
        **made.manifest.engines,
        "bridge": replace(made.manifest.engines["bridge"], precision=precision),
    }
    (root / MANIFEST).write_bytes(manifest_to_json(replace(made.manifest, engines=engines)))
    return open_tiny(Bundle.open(root)).selftest()


@pytest.mark.parametrize("precision", [HALF, W4A8])
def test_an_engine_that_rounds_while_it_computes_is_held_to_a_cosine(
    bundle: Bundle, tmp_path: Path, precision: str
) -> None:
    assert rounding(bundle, tmp_path / "a", precision, np.float32(0.01)) == []
    (problem,) = rounding(bundle, tmp_path / "b", precision, np.float32(0.5))
    assert "bridge.subject_rows has the cosine 0.8" in problem


@pytest.mark.parametrize("precision", [FP32, INT4])
def test_any_other_engine_is_held_to_every_value(bundle: Bundle, tmp_path: Path, precision: str) -> None:
    (problem,) = rounding(bundle, tmp_path, precision, np.float32(0.01))
    assert "bridge.subject_rows differs by" in problem


def test_a_clip_that_this_box_prepares_in_another_way_is_named(bundle: Bundle, tmp_path: Path) -> None:
    tensors = dict(safetensors.numpy.load(bundle.path("golden/0.safetensors").read_bytes()))
    frames = np.random.default_rng(4).integers(0, 256, (1, 60, 80, 3)).astype(np.uint8)
    pixels = to_vision_input(frames, bundle.manifest.pixels)
    spec = bundle.manifest.engines["vision"]
    vision = OrtEngine("vision", bundle.read(spec.path), spec, provider=CPU, threads=1)
    tensors[CLIP_FRAMES] = frames
    tensors |= {f"{CLIP_OUT}{name}": array for name, array in vision.run({"pixels": pixels}).items()}
    sound = rebuilt(bundle, tmp_path / "a", {"golden/0.safetensors": safetensors.numpy.save(tensors)})
    assert open_tiny(sound).selftest() == []
    red, green, blue = sound.manifest.pixels.mean
    swapped = replace(sound.manifest.pixels, mean=(blue, green, red))
    (sound.root / MANIFEST).write_bytes(manifest_to_json(replace(sound.manifest, pixels=swapped)))
    problems = open_tiny(Bundle.open(sound.root)).selftest()
    assert problems and all("vision." in problem and "differs by" in problem for problem in problems)
