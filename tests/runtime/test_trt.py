"""TensorRT on the box, against the recorded API of its bindings; real ones where a GPU is at hand.

Claims about building plans, running them, and refusing those that do not belong here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.config import RuntimeConfig
from runtime.contract.bundle import MANIFEST, Bundle, EngineSpec, TensorSpec, manifest_to_json
from runtime.contract.errors import BundleError, EngineError
from runtime.engines import cuda as cuda_module
from runtime.engines import trt as trt_module
from runtime.engines.cuda import Cuda, DeviceBuffer, open_cuda
from runtime.engines.ort import CPU, OrtEngine
from runtime.engines.parts import PartedEngine, row_letter
from runtime.engines.plans import BuildStep, Stamp, build_step, read_plan, write_plan
from runtime.engines.trt import TrtEngine
from runtime.engines.trt_build import TIMING_CACHE, build_bundle_plans, build_plan
from runtime.session import plans as session_plans
from runtime.session.models import Models, load_models
from runtime.session.plans import plans_of, wanted_plans
from runtime.session.selftest import selftest_problems
from tests.fakes.tensorrt import VERSIONS, ContractError, FakeCudart, Recorded, fake_tensorrt
from tests.fakes.tiny_bundle import make_bundle

ROLES = ("vision", "head", "bridge")
SIZES = {"T": [1, 8, 16], "N": [1, 4, 32], "S": [1, 2, 8]}
CPU_CONFIG = RuntimeConfig(device="cpu", threads=1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of tiny graphs that wants three of its engines built on the box."""
    made = make_bundle(tmp_path_factory.mktemp("bundle"), domain_limit=1e9)
    wants = {"tensorrt": {"roles": list(ROLES), "sizes": SIZES, "workspace_mib": 64}}
    (made.root / MANIFEST).write_bytes(manifest_to_json(dataclasses.replace(made.manifest, build=wants)))
    return Bundle.open(made.root)


@pytest.fixture
def cudart() -> FakeCudart:
    return FakeCudart()


@pytest.fixture(params=VERSIONS)
def trt(request: pytest.FixtureRequest) -> Any:
    return fake_tensorrt(request.param)


@pytest.fixture
def box(
    trt: Any, cudart: FakeCudart, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Bundle, Path], None]]:
    """A box with this TensorRT and a GPU; building on it is one call."""
    cuda = Cuda(cudart)
    monkeypatch.setattr(session_plans, "library", lambda: trt)
    monkeypatch.setattr(session_plans, "open_cuda", lambda: cuda)

    def build(bundle: Bundle, folder: Path) -> None:
        build_bundle_plans(bundle, plans_of(folder, bundle), trt=trt, cuda=cuda, say=lambda _: None)

    yield build


def in_tensorrt(models: Models) -> set[str]:
    return {role for role, one in models.engines.items() if isinstance(one, TrtEngine | PartedEngine)}


def test_every_version_builds_the_same_way_and_the_golden_clips_agree(
    bundle: Bundle, tmp_path: Path, box: Callable[[Bundle, Path], None]
) -> None:
    box(bundle, tmp_path)
    models = load_models(bundle, RuntimeConfig(device="tensorrt", threads=1, engines=tmp_path))
    assert in_tensorrt(models) == set(ROLES)
    assert all(isinstance(models.engines[role], OrtEngine) for role in ("enrol", "language"))
    problems = selftest_problems(bundle, models, None)
    assert [problem for problem in problems if not problem.startswith("faces:")] == []


def test_auto_takes_tensorrt_where_plans_are_built_and_nowhere_else(
    bundle: Bundle, tmp_path: Path, box: Callable[[Bundle, Path], None]
) -> None:
    auto = RuntimeConfig(device="auto", threads=1, engines=tmp_path)
    assert in_tensorrt(load_models(bundle, auto)) == set()
    box(bundle, tmp_path)
    assert in_tensorrt(load_models(bundle, auto)) == set(ROLES)
    assert wanted_plans(bundle, "cpu", tmp_path) is None


def test_outputs_are_those_of_onnx_runtime_at_every_size_of_the_profile(
    bundle: Bundle, trt: Any, cudart: FakeCudart
) -> None:
    specs = bundle.manifest.engines["vision"]
    engine = TrtEngine("vision", plan_of(bundle, "vision", trt), specs, trt=trt, cuda=Cuda(cudart))
    reference = OrtEngine("vision", bundle.read(specs.path), specs, provider=CPU, threads=1)
    rng = np.random.default_rng(0)
    for frames in (1, 16, 3):
        inputs = {"pixels": rng.normal(size=(frames, 3, 144, 192)).astype(np.float32)}
        found, wanted = engine.run(inputs), reference.run(inputs)
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    with pytest.raises(EngineError, match="outside the sizes"):
        engine.run({"pixels": np.zeros((17, 3, 144, 192), dtype=np.float32)})
    assert cudart.memory
    engine.close()
    assert cudart.memory == {}


def test_more_frames_than_a_plan_takes_are_run_in_parts_with_the_same_outputs(
    bundle: Bundle, tmp_path: Path, box: Callable[[Bundle, Path], None]
) -> None:
    box(bundle, tmp_path)
    models = load_models(bundle, RuntimeConfig(device="tensorrt", threads=1, engines=tmp_path))
    reference = load_models(bundle, CPU_CONFIG)
    pixels = np.random.default_rng(1).normal(size=(37, 3, 144, 192)).astype(np.float32)
    found, wanted = (each.engines["vision"].run({"pixels": pixels}) for each in (models, reference))
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert row_letter(bundle.manifest.engines["bridge"]) is None


def plan_of(bundle: Bundle, role: str, trt: Any, **changes: Any) -> bytes:
    specs = bundle.manifest.engines[role]
    step = build_step(bundle.manifest)
    assert step is not None
    options: dict[str, Any] = {"profile": step.profile(role, specs), "workspace_mib": 64} | changes
    return build_plan(trt, role, bundle.read(specs.path), specs, **options)[0]


def test_networks_are_strongly_typed_and_no_flag_of_a_precision_is_set(bundle: Bundle, trt: Any) -> None:
    seen: list[Recorded] = []
    builder_of = trt.Builder

    def watched(logger: Any) -> Any:
        seen.append(builder_of(logger))
        return seen[-1]

    trt.Builder = watched
    assert plan_of(bundle, "bridge", trt)
    assert seen
    assert not any(hasattr(trt.BuilderFlag, "FP16") and "flags" in one.state for one in seen)


def test_what_was_timed_is_kept_and_another_boxs_timing_is_left_aside(
    bundle: Bundle, tmp_path: Path, box: Callable[[Bundle, Path], None], trt: Any
) -> None:
    box(bundle, tmp_path)
    cache = plans_of(tmp_path, bundle) / TIMING_CACHE
    assert cache.read_bytes() == b"timed " * len(ROLES)
    specs = bundle.manifest.engines["bridge"]
    step = build_step(bundle.manifest)
    assert step is not None
    _, timed = build_plan(
        trt, "bridge", bundle.read(specs.path), specs,
        profile=step.profile("bridge", specs), workspace_mib=1, timing_cache=b"elsewhere",
    )  # fmt: skip
    assert timed == b"timed "


@pytest.mark.parametrize("field", ["onnx_sha256", "tensorrt", "cuda", "compute_capability", "profile"])
def test_a_plan_of_another_model_or_box_is_refused_with_the_command_that_rebuilds_it(
    bundle: Bundle, tmp_path: Path, box: Callable[[Bundle, Path], None], field: str
) -> None:
    box(bundle, tmp_path)
    stamp = plans_of(tmp_path, bundle) / "bridge.json"
    data = json.loads(stamp.read_text())
    data[field] = "another"
    stamp.write_text(json.dumps(data))
    with pytest.raises(EngineError, match=rf"built for {field} another.*bundle build-engines"):
        load_models(bundle, RuntimeConfig(device="tensorrt", threads=1, engines=tmp_path))


def test_a_box_with_another_gpu_refuses_the_plans_of_the_first(
    bundle: Bundle, tmp_path: Path, box: Callable[[Bundle, Path], None], cudart: FakeCudart
) -> None:
    box(bundle, tmp_path)
    cudart.capability = (8, 9)
    with pytest.raises(EngineError, match=r"compute_capability 8\.7, here is 8\.9"):
        load_models(bundle, RuntimeConfig(device="auto", threads=1, engines=tmp_path))


def test_a_plan_with_one_flipped_byte_or_none_at_all_is_refused(tmp_path: Path) -> None:
    stamp = Stamp("0" * 64, "10.3.0", "12.6", "8.7", {"pixels": ((1, 3), (2, 3), (3, 3))})
    write_plan(tmp_path, "vision", b"plan", stamp)
    assert read_plan(tmp_path, "vision", stamp) == b"plan"
    (tmp_path / "vision.plan").write_bytes(b"plam")
    with pytest.raises(EngineError, match="has changed"):
        read_plan(tmp_path, "vision", stamp)
    with pytest.raises(EngineError, match="has not been built"):
        read_plan(tmp_path, "head", stamp)
    (tmp_path / "vision.json").write_text("no json")
    with pytest.raises(EngineError, match="has not been built"):
        read_plan(tmp_path, "vision", stamp)


def test_a_plan_of_another_tensorrt_does_not_load(bundle: Bundle, cudart: FakeCudart) -> None:
    old, new = fake_tensorrt(VERSIONS[0]), fake_tensorrt(VERSIONS[-1])
    plan = plan_of(bundle, "bridge", old)
    with pytest.raises(EngineError, match="does not load the plan"):
        TrtEngine("bridge", plan, bundle.manifest.engines["bridge"], trt=new, cuda=Cuda(cudart))


def test_a_plan_that_is_not_what_the_manifest_says_is_refused(
    bundle: Bundle, trt: Any, cudart: FakeCudart
) -> None:
    specs = bundle.manifest.engines["vision"]
    plan = plan_of(bundle, "vision", trt)
    pixels = specs.inputs[0]
    for wrong in (
        dataclasses.replace(specs, inputs=(TensorSpec("pictures", "float32", pixels.shape),)),
        dataclasses.replace(specs, inputs=(TensorSpec("pixels", "float16", pixels.shape),)),
        dataclasses.replace(specs, inputs=(TensorSpec("pixels", "float32", ("T", 3, 144, 96)),)),
        dataclasses.replace(specs, inputs=(), outputs=(*specs.inputs, *specs.outputs)),
    ):
        with pytest.raises(BundleError, match="manifest and plan disagree"):
            TrtEngine("vision", plan, wrong, trt=trt, cuda=Cuda(cudart))


def test_an_onnx_file_that_tensorrt_does_not_take_is_one_clear_line(bundle: Bundle, trt: Any) -> None:
    specs = bundle.manifest.engines["vision"]
    with pytest.raises(BundleError, match="does not take engine vision: "):
        build_plan(trt, "vision", b"no model", specs, profile={}, workspace_mib=1)


def test_sizes_that_tensorrt_does_not_take_are_an_error(bundle: Bundle, trt: Any) -> None:
    with pytest.raises(EngineError, match="built nothing"):
        plan_of(bundle, "vision", trt, profile={})


def test_a_bundle_without_a_build_step_says_that_there_is_nothing_to_build(
    bundle: Bundle, tmp_path: Path, trt: Any, cudart: FakeCudart
) -> None:
    plain = Bundle(bundle.root, dataclasses.replace(bundle.manifest, build={}), bundle.bundle_id)
    with pytest.raises(BundleError, match="no engines to build"):
        build_bundle_plans(plain, tmp_path, trt=trt, cuda=Cuda(cudart), say=lambda _: None)
    with pytest.raises(BundleError, match="was not exported for TensorRT"):
        wanted_plans(plain, "tensorrt", tmp_path)
    with pytest.raises(EngineError, match="--engines"):
        wanted_plans(bundle, "tensorrt", None)


@pytest.mark.parametrize(
    ("wants", "said"),
    [
        ({"roles": ["vision"], "sizes": {"T": [4, 2, 8]}, "workspace_mib": 1}, "do not rise"),
        ({"roles": ["vision"], "sizes": {"T": [1, 2]}, "workspace_mib": 1}, "cannot be read"),
        ({"sizes": {}, "workspace_mib": 1}, "cannot be read"),
        ({"roles": ["ears"], "sizes": {}, "workspace_mib": 1}, "has not: ears"),
    ],
)
def test_a_build_step_that_makes_no_sense_is_refused(
    bundle: Bundle, wants: dict[str, Any], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        build_step(dataclasses.replace(bundle.manifest, build={"tensorrt": wants}))


def test_a_free_size_without_a_range_is_refused() -> None:
    spec = EngineSpec("x", (TensorSpec("x", "float32", ("T", 3)),), ())
    with pytest.raises(BundleError, match="no sizes for T"):
        BuildStep(("x",), {}, 1).profile("x", spec)


def test_without_tensorrt_or_cuda_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorrt", None)
    with pytest.raises(EngineError, match="TensorRT is not installed"):
        trt_module.library()
    monkeypatch.setattr(cuda_module, "_places", lambda: iter(["libnobody-has-this.so.0"]))
    with pytest.raises(EngineError, match="libcudart"):
        open_cuda()


def test_a_cuda_call_that_fails_is_an_error_with_its_number(cudart: FakeCudart) -> None:
    cuda = Cuda(cudart)
    assert (cuda.version(), cuda.compute_capability()) == ("12.6", "8.7")
    with pytest.raises(EngineError, match="cudaMalloc failed with CUDA error 2"):
        cuda.allocate(1 << 31)
    buffer = DeviceBuffer(cuda)
    first = buffer.address(8)
    assert buffer.address(4) == first
    buffer.address(64)
    assert len(cudart.memory) == 1
    buffer.release()
    assert cudart.memory == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_contract_refuses_what_a_version_does_not_have(version: str) -> None:
    trt = fake_tensorrt(version)
    builder = trt.Builder(trt.Logger(trt.Logger.WARNING))
    with pytest.raises(ContractError, match="no Builder"):
        _ = builder.build_cuda_engine
    with pytest.raises(ContractError, match="takes no"):
        builder.create_network(1, 2)
    with pytest.raises(ContractError, match="takes no"):
        builder.create_builder_config().set_timing_cache(cache=None, ignore=False)
    newest = version == VERSIONS[-1]
    assert hasattr(trt.BuilderFlag, "FP16") is not newest
    assert hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH") is not newest


@pytest.mark.gpu
def test_real_tensorrt_builds_and_agrees(bundle: Bundle, tmp_path: Path) -> None:
    trt, cuda = trt_module.library(), open_cuda()
    build_bundle_plans(bundle, plans_of(tmp_path, bundle), trt=trt, cuda=cuda, say=lambda _: None)
    models = load_models(bundle, RuntimeConfig(device="tensorrt", threads=1, engines=tmp_path))
    problems = selftest_problems(bundle, models, None)
    assert [problem for problem in problems if not problem.startswith("faces:")] == []
