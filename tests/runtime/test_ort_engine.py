"""Engines in ONNX Runtime: what is refused at load and at run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

from device.paths import base_bundle
from runtime.contract.bundle import Bundle, EngineSpec, TensorSpec
from runtime.contract.errors import BundleError, EngineError
from runtime.engines.base import check_inputs
from runtime.engines.onnxfile import names_external_data
from runtime.engines.ort import CPU, CUDA, OrtEngine, choose_provider

SPEC = EngineSpec("x.onnx", (TensorSpec("a", "float32", ("N", 3)),), (TensorSpec("b", "float32", ("N", 3)),))


def model(op: str = "Sqrt", weight: onnx.TensorProto | None = None) -> onnx.ModelProto:
    nodes = [helper.make_node(op, ["a"] if weight is None else ["a", "w"], ["b"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 3])],
        [] if weight is None else [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def engine(specs: EngineSpec = SPEC, raw: bytes | None = None, provider: str = CPU) -> OrtEngine:
    raw = model().SerializeToString() if raw is None else raw
    return OrtEngine("toy", raw, specs, provider=provider, threads=1)


def test_a_network_computes_what_it_says() -> None:
    out = engine().run({"a": np.full((2, 3), 4.0, dtype=np.float32)})
    assert out["b"].tolist() == [[2.0] * 3] * 2


def test_a_result_that_is_not_a_number_is_an_error_and_no_answer() -> None:
    with pytest.raises(EngineError, match="output b holds values that are not finite"):
        engine().run({"a": np.full((1, 3), -1.0, dtype=np.float32)})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "missing or unknown inputs: a"),
        ({"a": np.zeros((1, 3), np.float32), "z": np.zeros(1, np.float32)}, "unknown inputs: z"),
        ({"a": np.zeros((1, 3), np.float64)}, "float64"),
        ({"a": np.zeros((1, 4), np.float32)}, r"\(1, 4\)"),
        ({"a": np.zeros(3, np.float32)}, r"\(3,\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_not_cast(inputs: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        engine().run(inputs)


def test_two_inputs_with_the_same_letter_must_have_the_same_size() -> None:
    specs = EngineSpec(
        "x", (TensorSpec("a", "float32", ("S",)), TensorSpec("c", "float32", ("S",))), SPEC.outputs
    )
    check_inputs("toy", specs, {"a": np.zeros(2, np.float32), "c": np.zeros(2, np.float32)})
    with pytest.raises(EngineError, match="input c"):
        check_inputs("toy", specs, {"a": np.zeros(2, np.float32), "c": np.zeros(4, np.float32)})


@pytest.mark.parametrize(
    "specs",
    [
        replace(SPEC, inputs=(TensorSpec("other", "float32", ("N", 3)),)),
        replace(SPEC, outputs=()),
        replace(SPEC, inputs=(TensorSpec("a", "float16", ("N", 3)),)),
        replace(SPEC, inputs=(TensorSpec("a", "float32", ("N", 4)),)),
        replace(SPEC, outputs=(TensorSpec("b", "float32", ("N", 3, 1)),)),
    ],
)
def test_a_manifest_that_disagrees_with_the_file_is_refused(specs: EngineSpec) -> None:
    with pytest.raises(BundleError, match="manifest"):
        engine(specs)


def test_a_file_that_is_no_network_is_refused() -> None:
    with pytest.raises(BundleError, match=r"ends too early|no ONNX model"):
        engine(raw=b"\x0anot a model at all")
    with pytest.raises(EngineError, match="does not load"):
        engine(raw=b"")


def test_a_provider_that_is_not_there_is_refused_and_not_replaced_by_the_cpu() -> None:
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this machine has the CUDA provider")
    with pytest.raises(EngineError, match=CUDA):
        engine(provider=CUDA)
    with pytest.raises(EngineError, match="has no CUDAExecutionProvider"):
        choose_provider("cuda")
    assert choose_provider("auto") == CPU


def test_a_session_that_fell_back_to_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        pytest.raises(EngineError, match="came up on"),
    ):
        engine(provider=CUDA)


def with_external_data(tmp_path: Path) -> bytes:
    """A model whose weight lies in a file, put in reach of the working directory's path."""
    weight = numpy_helper.from_array(np.ones(3, dtype=np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", str(tmp_path / "weights.bin")
    (tmp_path / "weights.bin").write_bytes(np.ones(3, dtype=np.float32).tobytes())
    return bytes(model("Add", weight).SerializeToString())


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="another file"):
        engine(raw=with_external_data(tmp_path))


def test_external_weights_inside_a_branch_and_an_attribute_are_found(tmp_path: Path) -> None:
    hidden = onnx.load_from_string(with_external_data(tmp_path))
    outer = model()
    outer.graph.node.append(
        helper.make_node("If", ["q"], ["r"], then_branch=hidden.graph, else_branch=model().graph)
    )
    assert names_external_data(outer.SerializeToString())
    constant = model()
    constant.graph.node.append(helper.make_node("Constant", [], ["k"], value=hidden.graph.initializer[0]))
    assert names_external_data(constant.SerializeToString())
    assert not names_external_data(model().SerializeToString())


def test_the_session_keeps_no_copy_of_the_file() -> None:
    raw = model().SerializeToString()
    before = sys.getrefcount(raw)
    loaded = engine(raw=raw)
    assert sys.getrefcount(raw) == before
    assert loaded.run({"a": np.full((1, 3), 4.0, dtype=np.float32)})["b"].tolist() == [[2.0] * 3]


def test_from_a_file_the_same_is_computed_and_one_copy_of_the_weights_less_is_held_while_it_loads(
    tmp_path: Path,
) -> None:
    """Fresh processes say the most MiB that loading 64 MiB of weights took, and a result."""
    weights = np.random.default_rng(0).normal(0, 1, (2**23, 2)).astype(np.float32)
    path = tmp_path / "large.onnx"
    path.write_bytes(with_weights(weights))
    by_bytes, by_file = (
        subprocess.run([sys.executable, "-c", _LOADED, path, how], capture_output=True, check=True, text=True)
        .stdout.split()
        for how in ("bytes", "file")
    )  # fmt: skip
    assert by_bytes[1] == by_file[1] == f"{np.float32(weights[7, 1]).tobytes().hex()}"
    assert float(by_file[0]) < float(by_bytes[0]) - 60


def test_a_file_that_is_empty_cut_or_of_external_weights_is_refused_like_its_bytes(tmp_path: Path) -> None:
    whole = with_weights(np.zeros((64, 2), np.float32))
    outside = with_external_data(tmp_path)
    for raw, match in ((b"", "cannot be read"), (whole[:-20], "ends too early"), (outside, "another file")):
        path = tmp_path / "x.onnx"
        path.write_bytes(raw)
        with path.open("rb") as file, pytest.raises(BundleError, match=match):
            OrtEngine("toy", file, SPEC, provider=CPU, threads=1)


def test_a_file_is_the_one_that_was_opened_whatever_has_its_name_by_now(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(model("Sqrt").SerializeToString())
    with path.open("rb") as file:
        (tmp_path / "y.onnx").write_bytes(model("Neg").SerializeToString())
        (tmp_path / "y.onnx").rename(path)
        loaded = OrtEngine("toy", file, SPEC, provider=CPU, threads=1)
    assert loaded.run({"a": np.full((1, 3), 4.0, dtype=np.float32)})["b"].tolist() == [[2.0] * 3]


def test_without_an_arena_the_memory_of_a_run_is_given_back() -> None:
    """Two numbers from a fresh process: MiB kept after a large run with an arena, and without."""
    with_arena, without = (
        float(subprocess.run([sys.executable, "-c", _KEPT, arena], capture_output=True, check=True).stdout)
        for arena in ("yes", "")
    )
    assert with_arena > 80
    assert without < 20


def test_without_an_arena_a_decoder_says_the_same_bit_for_bit() -> None:
    bundle = Bundle.open(base_bundle())
    spec = bundle.manifest.engines["language"]
    golden = safetensors.numpy.load((bundle.root / "golden" / "language.safetensors").read_bytes())
    inputs = {one.name: golden[f"language.in.{one.name}"].astype(one.dtype) for one in spec.inputs}
    first, second = (
        OrtEngine("language", bundle.read(spec.path), spec, provider=CPU, threads=1, arena=arena).run(inputs)
        for arena in (True, False)
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)


_KEPT = """
import sys
import numpy as np
from tests.runtime.test_ort_engine import CPU, SPEC, OrtEngine, two_steps

def held():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024

loaded = OrtEngine("toy", two_steps(), SPEC, provider=CPU, threads=1, arena=bool(sys.argv[1]))
inputs = {"a": np.ones((1, 3), np.float32)}
loaded.run(inputs)
inputs = {"a": np.ones((8_000_000, 3), np.float32)}
before = held()
loaded.run(inputs)
print(held() - before)
"""


_LOADED = """
import sys
import numpy as np
from tests.runtime.test_ort_engine import CPU, GATHER, OrtEngine

def most():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024

before = most()
with open(sys.argv[1], "rb") as file:
    source = file if sys.argv[2] == "file" else file.read()
    loaded = OrtEngine("toy", source, GATHER, provider=CPU, threads=1)
print(most() - before, loaded.run({"a": np.array([7], np.int64)})["b"][0, 1].tobytes().hex())
"""
GATHER = EngineSpec("x.onnx", (TensorSpec("a", "int64", ("N",)),), (TensorSpec("b", "float32", ("N", 2)),))


def with_weights(table: np.ndarray) -> bytes:
    """Rows of a table by their numbers."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["w", "a"], ["b"])],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(table, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(made.SerializeToString())


def two_steps() -> bytes:
    """Something large in the middle, one row at the end."""
    made = model()
    (node,) = made.graph.node
    node.output[0] = "middle"
    made.graph.node.append(helper.make_node("ReduceMean", ["middle", "axes"], ["b"], keepdims=1))
    made.graph.initializer.append(helper.make_tensor("axes", TensorProto.INT64, [1], [0]))
    return bytes(made.SerializeToString())
