"""Claims about the profiles: what each exports, in which precision, and what is left to the box."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import pytest
import safetensors.numpy

from export.__main__ import main
from export.config import EXACT, ExportConfig, load_export_config
from export.dequantise import with_accuracy
from export.files import read_windows
from export.pack import PruneWish
from export.parity import check_all, made_inputs
from export.prove import prove_bundle
from export.samples import sample_inputs
from export.shipped import shipped_modules
from export.specs import torch_specs
from export.trace import trace
from runtime.contract.bundle import MANIFEST, Bundle, manifest_to_json
from runtime.contract.errors import BundleError, ConfigError
from runtime.engines.plans import build_step
from runtime.session.selftest import CLIP_FRAMES
from tests.export.conftest import LOOSE, Exported

pytestmark = pytest.mark.timeout(900)  # whoever comes first waits for the export of the session

PROFILES = Path(__file__).parents[2] / "configs" / "export"
BOX = ("orin_nx_16gb", "agx_orin_64gb", "l20")


@pytest.fixture(scope="module")
def orin(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, dict[str, object]]:
    """The bundle of the Orin NX, from the command line, with the language engine that is ready."""
    root = tmp_path_factory.mktemp("orin")
    settings = dataclasses.replace(LOOSE.language, accuracy_level=EXACT)  # the profile's own
    engine = with_accuracy(onnx.load_from_string(exported.engine("language")), EXACT)
    language = "\n".join(
        f"{name} = {json.dumps(value)}" for name, value in dataclasses.asdict(settings).items()
    )
    text = (PROFILES / "orin_nx_16gb.toml").read_text().split("[language]")[0].replace("= true", "= false")
    (root / "orin.toml").write_text(f"{text}\n[language]\n{language}\n")
    words = [str(root / "orin.toml"), "--checkpoint", str(exported.checkpoint), "--out", str(root / "bundle")]
    line = root / "line.json"
    with mock.patch("export.build.build_language", return_value=engine):
        assert main([*words, "--prune-heads", "proven", "--json", str(line)]) == 0
    return Bundle.open(root / "bundle"), json.loads(line.read_text())


@pytest.mark.parametrize("name", BOX)
def test_a_profile_of_a_box_halves_what_may_and_names_what_the_box_builds(name: str) -> None:
    config = load_export_config(PROFILES / f"{name}.toml")
    assert config.tensorrt is not None
    assert set(config.tensorrt.roles) == {"vision", "head", "body", "bridge"} == set(config.half)
    assert set(config.tensorrt.sizes) == {"T", "N", "S"}
    assert config.opset == (23 if name == "l20" else 20)


def test_the_bundle_for_an_orin_is_complete_up_to_what_the_box_builds(
    orin: tuple[Bundle, dict[str, object]],
) -> None:
    bundle, line = orin
    bundle.verify()
    step = build_step(bundle.manifest)
    assert step is not None and line["on_the_box"] == "pvchat-edge bundle build-engines"
    for role in step.roles:
        spec = bundle.manifest.engines[role]
        assert spec.precision == "fp16" and step.profile(role, spec)
    assert bundle.manifest.engines["enrol"].precision == "fp32"
    assert bundle.manifest.engines["language"].precision == "int4"
    cosines = bundle.manifest.evaluation["parity"]["half_min_cosine"]
    assert min(cosines[name] for name in cosines if name.startswith("vision.")) >= 0.999
    assert min(cosines.values()) >= 0.99
    assert bundle.manifest.made_by["export"]["pruned_heads"]["method"] == "proven"


def test_halved_engines_compute_in_float16_and_take_and_give_float32(
    orin: tuple[Bundle, dict[str, object]],
) -> None:
    bundle, _ = orin
    for role in ("vision", "bridge"):
        model = onnx.load_from_string(bundle.read(bundle.manifest.engines[role].path))
        graph = onnx.shape_inference.infer_shapes(model).graph
        kinds = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
        assert kinds == {onnx.TensorProto.FLOAT}
        made = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
        products = [node.output[0] for node in graph.node if node.op_type in ("MatMul", "Gemm")]
        halved = [name for name in products if made.get(name) == onnx.TensorProto.FLOAT16]
        assert len(halved) > len(products) / 2


def test_with_opset_23_attention_is_one_operator_and_agrees(exported: Exported) -> None:
    config = dataclasses.replace(LOOSE, opset=23)
    specs = torch_specs(exported.sizes)["vision"]
    module = shipped_modules(exported.model, config)["vision"]
    example = sample_inputs(exported.sizes, "vision", size=3, seed=1)
    raw = trace("vision", module, specs, example, opset=23)
    operators = [node.op_type for node in onnx.load_from_string(raw).graph.node]
    assert operators.count("Attention") == exported.sizes.vision.depth
    inputs = {"vision": made_inputs(exported.sizes, "vision", seed=3)}
    report = check_all(exported.model, exported.sizes, {"vision": raw}, inputs, config)
    assert max(report["max_abs"].values()) <= 1e-4


def test_a_precision_that_costs_too_much_is_refused(
    exported: Exported, orin: tuple[Bundle, dict[str, object]]
) -> None:
    raw = {"vision": orin[0].read(orin[0].manifest.engines["vision"].path)}
    inputs = {"vision": made_inputs(exported.sizes, "vision", seed=3)}
    strict = dataclasses.replace(LOOSE, half=("vision",), half_min_cosine=1.0 - 1e-9)
    with pytest.raises(BundleError, match=r"engine output vision\.\w+ has the cosine"):
        check_all(exported.model, exported.sizes, raw, inputs, strict)


@pytest.mark.parametrize("which", ["mean", "std"])
def test_a_swapped_mean_or_deviation_in_the_manifest_is_refused(
    exported: Exported, tmp_path: Path, which: str
) -> None:
    manifest, pixels = exported.bundle.manifest, exported.bundle.manifest.pixels
    (a, b, c), (d, e, f) = pixels.mean, pixels.std
    turned = dataclasses.replace(pixels, mean=(c, b, a)), dataclasses.replace(pixels, std=(f, e, d))
    swapped = turned[("mean", "std").index(which)]
    copy = tmp_path / "swapped"
    shutil.copytree(exported.bundle.root, copy)
    prove_bundle(copy)
    (copy / MANIFEST).write_bytes(manifest_to_json(dataclasses.replace(manifest, pixels=swapped)))
    with pytest.raises(BundleError, match=r"fails its own self-test: golden/vision.*vision\.tokens differs"):
        prove_bundle(copy)


def test_the_golden_clip_is_of_another_size_than_the_input(exported: Exported) -> None:
    tensors = safetensors.numpy.load_file(exported.bundle.root / "golden" / "vision.safetensors")
    frames = tensors[CLIP_FRAMES]
    assert frames.dtype == np.uint8 and frames.shape[1:3] != (144, 192)


def test_windows_to_measure_on_are_read_one_by_one(exported: Exported, tmp_path: Path) -> None:
    windows = [sample_inputs(exported.sizes, "bridge", size=2, seed=seed) for seed in range(3)]
    stacked = {f"bridge.in.{name}": np.stack([one[name] for one in windows]) for name in windows[0]}
    safetensors.numpy.save_file(stacked, tmp_path / "windows.safetensors")
    found = read_windows(tmp_path / "windows.safetensors")
    assert len(found) == 3
    assert all(np.array_equal(a[name], b[name]) for a, b in zip(found, windows, strict=True) for name in a)
    safetensors.numpy.save_file({"vision.in.pixels": np.zeros(3)}, tmp_path / "none.safetensors")
    with pytest.raises(BundleError, match="holds no windows"):
        read_windows(tmp_path / "none.safetensors")


def test_windows_without_measuring_are_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(PROFILES / "cpu.toml"), "--windows", "nothing.safetensors"]) == 2
    assert "--prune-heads measured" in capsys.readouterr().err
    assert PruneWish("measured").windows == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("opset = 21", "opset must be 20"),
        ('half = ["ears"]', "half may name"),
        ("[tensorrt.sizes]\nT = [2, 1, 8]", "rise from 1"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_export_config(tmp_path / "bad.toml")
    assert ExportConfig().tensorrt is None
