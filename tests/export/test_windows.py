"""Claims about a household's windows: they are what the bridge saw, ready to measure heads on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from export.windows import Recorder, main, record_windows
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.errors import ContentError, UsageError
from runtime.session.models import load_models
from tests.fakes.tiny_bundle import ANN, BEN, make_bundle
from tests.fakes.tiny_home import TinyHome, open_tiny


@pytest.fixture
def home(tmp_path: Path) -> TinyHome:
    bundle = make_bundle(tmp_path / "bundle", domain_limit=1e9)
    made = TinyHome(open_tiny(bundle), tmp_path)
    for name in ("ann", "ben"):
        made.enrol(name)
    return made


def test_every_window_of_every_clip_is_kept_as_the_bridge_takes_it(
    home: TinyHome, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [home.clip({9: ANN}), home.clip({12: BEN}, {20: BEN}, seconds=3.0)]
    out, people = home.folder / "windows.safetensors", [home.adapter("ann"), home.adapter("ben")]
    words = ["--bundle", str(home.folder / "bundle"), "--out", str(out), "--adapters", *map(str, people)]
    assert main([*words, "--clips", *map(str, clips)]) == 0
    count = json.loads(capsys.readouterr().out)["windows"]
    tensors = safetensors.numpy.load_file(out)
    engine = load_models(Bundle.open(home.folder / "bundle"), RuntimeConfig(device="cpu", threads=1)).engines[
        "bridge"
    ]
    assert {name.removeprefix("bridge.in.") for name in tensors} == {
        spec.name for spec in engine.specs.inputs
    }
    assert count >= 2 and {len(array) for array in tensors.values()} == {count}
    for at in range(count):
        window = {
            name.removeprefix("bridge.in."): np.ascontiguousarray(array[at])
            for name, array in tensors.items()
        }
        assert engine.run(window)["presence"].shape == (2,)
    assert out.stat().st_mode & 0o077 == 0


def test_clips_without_anybody_are_no_windows(home: TinyHome) -> None:
    with pytest.raises(ContentError, match="nobody was seen"):
        record_windows(home.folder / "bundle", [home.adapter("ann")], [home.clip({})])


def test_windows_of_nobody_are_a_wrong_call(home: TinyHome) -> None:
    with pytest.raises(UsageError, match="got 0"):
        record_windows(home.folder / "bundle", [], [])


def test_a_recorder_gives_what_the_engine_gives(home: TinyHome) -> None:
    engine = load_models(Bundle.open(home.folder / "bundle"), RuntimeConfig(device="cpu", threads=1)).engines[
        "enrol"
    ]
    recorder = Recorder(engine)
    shapes = {spec.name: tuple(int(size) for size in spec.shape) for spec in engine.specs.inputs}
    inputs = {name: np.ones(shape, dtype=np.float32) for name, shape in shapes.items()}
    found, wanted = recorder.run(inputs), engine.run(inputs)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert recorder.specs == engine.specs and len(recorder.seen) == 1
