"""A bundle of schema 1, written once and never again: every later version has to read it as it was meant.

When the schema changes, this folder and these expectations stay, and `bundle_v2` comes beside them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.contract.bundle import Bundle, EngineSpec, TensorSpec
from runtime.contract.calibration import SourceCalibration
from runtime.contract.pixels import PixelSpec

ROOT = Path(__file__).parents[1] / "golden" / "bundle_v1"


@pytest.fixture
def golden() -> Bundle:
    return Bundle.open(ROOT)


def test_it_has_the_name_and_the_files_that_it_was_given(golden: Bundle) -> None:
    assert golden.bundle_id == "ac2d86a2c4d303f8"
    golden.verify()
    assert [path.name for path in golden.role("adapter")] == ["s" + "0" * 31 + "1.safetensors"]
    assert {entry.role for entry in golden.manifest.files} == {"vision", "bridge", "adapter", "golden"}


def test_it_says_who_it_is(golden: Bundle) -> None:
    manifest = golden.manifest
    assert (manifest.schema, manifest.kind, manifest.base) == (1, "household", "0123456789abcdef" * 4)
    assert manifest.shapes == {"P": 48, "Q": 16, "D": 192, "E": 128}
    assert manifest.prompt == {"template_version": 1}
    assert manifest.evaluation == {"existence": {"accuracy": 0.5, "clips": 4}}
    assert manifest.budgets == {"memory_mib": 512}
    assert manifest.made_by == {"seed": 1, "command": "example"}


def test_its_engines_are_described(golden: Bundle) -> None:
    pixels = TensorSpec("pixels", "float32", ("T", 3, 96, 128))
    tokens = TensorSpec("tokens", "float32", ("T", "P", "Dv"))
    assert golden.manifest.engines == {"vision": EngineSpec("vision/vision.onnx", (pixels,), (tokens,))}


def test_its_pixels_are_prepared_as_they_were(golden: Bundle) -> None:
    assert golden.manifest.pixels == PixelSpec(
        width=160,
        height=120,
        crop=48,
        crop_margin=1.5,
        window_frames=6,
        window_fps=2.5,
        mean=(0.5, 0.25, 0.125),
        std=(0.1, 0.2, 0.3),
    )


def test_its_calibration_decides_as_it_did(golden: Bundle) -> None:
    calibration = golden.manifest.calibration
    assert calibration.sources == {
        "bridge": SourceCalibration(1.5, -0.25, 0.5, "an example"),
        "face": SourceCalibration(12.0, -4.0),
    }
    assert (calibration.prior, calibration.min_quality, calibration.domain_limit) == (0.4, 0.3, 2.75)
    seen = [calibration.probability(llr) for llr in (-5.0, 0.0, 5.0)]
    assert seen == pytest.approx([0.004471877, 0.4, 0.989994207])
    assert [calibration.verdict(p) for p in seen] == ["no", "unsure", "yes"]


def test_what_this_version_does_not_know_is_kept(golden: Bundle) -> None:
    assert golden.manifest.extra == {"added_later": {"kept": ["as", "it", "is", 1, None]}}
