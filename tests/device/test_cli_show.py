"""Looking into bundles, comparing two, exporting and building from the command line."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device import workshop
from device.bundles import build_engines
from device.cli import export as export_verb
from device.cli import main as cli
from device.paths import Home
from runtime.contract.bundle import MANIFEST, Bundle, manifest_to_json
from runtime.contract.errors import BundleError, EngineError
from tests.device.fake_runtime import short_home

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle_v1"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with short_home() as made:
        monkeypatch.setenv("PVCHAT_HOME", str(made.root))
        yield made


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The golden bundle with other seeds and one engine more to build."""
    shutil.copytree(GOLDEN, tmp_path / "changed")
    manifest = Bundle.open(tmp_path / "changed").manifest
    wants = {"tensorrt": {"roles": ["vision"], "sizes": {"T": [1, 2, 3]}, "workspace_mib": 8}}
    other = dataclasses.replace(manifest, made_by={"seed": 2, "command": "example"}, build=wants)
    (tmp_path / "changed" / MANIFEST).write_bytes(manifest_to_json(other))
    return tmp_path / "changed"


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    data = json.loads(capsys.readouterr().out)
    assert isinstance(data, dict)
    return data


def test_show_tells_what_is_in_a_bundle(capsys: pytest.CaptureFixture[str], changed: Path) -> None:
    assert cli.main(["bundle", "show", str(changed), "--json"]) == 0
    data = said(capsys)
    assert (data["kind"], data["adapters"]) == ("household", 1)
    assert data["engines"]["vision"]["precision"] == "fp32"
    assert data["engines"]["vision"]["built_on_the_box"] is True
    assert data["engines"]["vision"]["inputs"][0]["shape"] == ["T", 3, 96, 128]
    assert cli.main(["bundle", "show", str(changed)]) == 0
    text = capsys.readouterr().out
    assert data["bundle_id"] in text and "pixels (T, 3, 96, 128)" in text and "built on the box" in text


def test_diff_names_every_field_that_differs_and_nothing_else(
    capsys: pytest.CaptureFixture[str], changed: Path
) -> None:
    assert cli.main(["bundle", "diff", str(GOLDEN), str(changed), "--json"]) == 0
    data = said(capsys)
    assert data["same"] is False
    assert {one["field"]: (one["one"], one["other"]) for one in data["differences"]} == {
        "build": (None, {"tensorrt": {"roles": ["vision"], "sizes": {"T": [1, 2, 3]}, "workspace_mib": 8}}),
        "made_by.seed": (1, 2),
    }
    assert cli.main(["bundle", "diff", str(GOLDEN), str(changed)]) == 0
    assert "made_by.seed" in capsys.readouterr().out


def test_a_bundle_does_not_differ_from_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bundle", "diff", str(GOLDEN), str(GOLDEN)]) == 0
    assert "nothing differs" in capsys.readouterr().out


def test_a_bundle_that_needs_no_building_says_so(home: Home) -> None:
    with pytest.raises(BundleError, match="no engines to build"):
        build_engines(home, GOLDEN)


def test_building_without_tensorrt_says_what_to_install(
    home: Home, changed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "tensorrt.py").write_text("raise ImportError('no TensorRT on this box')\n")
    monkeypatch.setenv("PYTHONPATH", str(absent))
    with pytest.raises(EngineError, match="no TensorRT on this box"):
        build_engines(home, changed)
    assert not home.engines.exists()


def test_export_hands_the_profile_and_everything_else_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(workshop, "installed", lambda name: True)
    monkeypatch.setattr(subprocess, "run", run)
    words = ["export", "orin_nx_16gb", "--out", "there", "--adapters", "a", "b", "--prune-heads", "proven"]
    assert cli.main(words) == 3
    config = str(export_verb.PROFILES / "orin_nx_16gb.toml")
    handed = ["--out", "there", "--adapters", "a", "b", "--prune-heads", "proven"]
    assert calls == [[sys.executable, "-m", "export", config, *handed]]


def test_an_unknown_profile_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"cpu", "l20", "orin_nx_16gb", "agx_orin_64gb"} <= set(export_verb.profiles())
    assert cli.main(["export", "toaster"]) == 2
    assert "orin_nx_16gb" in capsys.readouterr().err
