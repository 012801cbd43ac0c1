"""Claims about the files of the engines: what is in them, and what is not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.half import MIN_ELEMENTS, halve
from export.specs import TORCH_ROLES, shape_letters
from runtime.contract.errors import BundleError
from runtime.engines.onnxfile import names_external_data
from tests.export.conftest import Exported
from train.model.bridge import BridgeConfig
from train.model.pvchat import ModelConfig

pytestmark = pytest.mark.timeout(900)  # whoever comes first waits for the export of the session

ROOT = Path(__file__).parents[2]
CONTROL_FLOW = {"If", "Loop", "Scan", "SequenceMap"}


def test_routed_bridge_is_plain_arithmetic_without_control_flow(exported: Exported) -> None:
    operators = Counter(node.op_type for node in onnx.load_from_string(exported.engine("bridge")).graph.node)
    assert not CONTROL_FLOW & set(operators)
    assert {"MatMul", "Relu", "Mul"} <= set(operators)
    assert operators["Relu"] == 6  # layers 2 and 3 self-attend, layer 2 cross-attends; base and subject rows


@pytest.mark.parametrize("role", TORCH_ROLES)
def test_engine_uses_the_standard_operators_of_opset_20(exported: Exported, role: str) -> None:
    model = onnx.load_from_string(exported.engine(role))
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", 20)}
    assert model.ir_version <= 10
    onnx.checker.check_model(model)


@pytest.mark.parametrize("role", [*TORCH_ROLES, "language"])
def test_engine_is_one_file_that_tells_nothing_of_where_it_was_made(exported: Exported, role: str) -> None:
    raw = exported.engine(role)
    assert not names_external_data(raw)
    assert str(ROOT).encode() not in raw
    assert b"stack_trace" not in raw


@pytest.mark.parametrize("role", TORCH_ROLES)
def test_engine_holds_its_weights_in_half_the_bytes(exported: Exported, role: str) -> None:
    model = onnx.load_from_string(exported.engine(role))
    elements = dict.fromkeys((TensorProto.FLOAT, TensorProto.FLOAT16), 0)
    for tensor in model.graph.initializer:
        if tensor.data_type in elements:
            elements[tensor.data_type] += int(np.prod(tensor.dims))
    assert elements[TensorProto.FLOAT] < 0.01 * elements[TensorProto.FLOAT16]


def _matmul(weight: NDArray[np.float32]) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", weight.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", weight.shape[1]])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
        | st.sampled_from([0.0, -0.0, 0.5, 65504.0, 65505.0, 1e-8, 6e-8]),
    ),
    st.booleans(),
)
def test_a_weight_is_halved_only_if_not_one_bit_is_lost(
    weight: NDArray[np.float32], representable: bool
) -> None:
    if representable:
        with np.errstate(over="ignore"):
            weight = np.nan_to_num(weight.astype(np.float16), posinf=1, neginf=-1).astype(np.float32)
    model = _matmul(weight)
    report = halve(model)
    (stored,) = model.graph.initializer
    back = numpy_helper.to_array(stored).astype(np.float32)
    assert np.array_equal(back.view(np.uint32), weight.view(np.uint32))
    assert report.halved + report.kept == weight.size
    if representable and weight.size >= MIN_ELEMENTS:
        assert stored.data_type == TensorProto.FLOAT16
        onnx.checker.check_model(model)


def test_parts_whose_sizes_do_not_fit_are_refused() -> None:
    with pytest.raises(BundleError, match="scene_dim"):
        shape_letters(ModelConfig(bridge=BridgeConfig(scene_dim=64)))
