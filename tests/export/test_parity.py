"""Claims about the comparison of engines with torch: it passes what is right and sees what is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from export.config import LanguageExport
from export.language_parity import check_language
from export.parity import SIZES, check_engines, load_engine, made_inputs, perturb, refuse_apart
from export.prompts import made_prompts
from export.specs import TORCH_ROLES, torch_specs
from runtime.contract.errors import BundleError
from tests.export.conftest import LOOSE, Exported
from train.model.pvchat import ModelConfig, build_model

pytestmark = pytest.mark.timeout(900)  # whoever comes first waits for the export of the session

MAX_ABS = 1e-4


def _check(exported: Exported, role: str, engine: bytes) -> dict[str, float]:
    specs = torch_specs(exported.sizes)[role]
    inputs = {role: made_inputs(exported.sizes, role, seed=11)}
    loaded = {role: load_engine(role, engine, specs)}
    return check_engines(exported.model, exported.sizes, loaded, inputs, max_abs=MAX_ABS)


@pytest.mark.parametrize("role", TORCH_ROLES)
def test_shipped_engine_equals_torch_at_sizes_it_was_not_traced_with(exported: Exported, role: str) -> None:
    assert len(set(SIZES)) > 2
    worst = _check(exported, role, exported.engine(role))
    assert set(worst) == {f"{role}.{spec.name}" for spec in torch_specs(exported.sizes)[role].outputs}
    assert max(worst.values()) <= MAX_ABS


def transpose_a_weight(model: onnx.ModelProto, width: int) -> None:
    for tensor in model.graph.initializer:
        if list(tensor.dims) == [width, width]:
            turned = np.ascontiguousarray(numpy_helper.to_array(tensor).T)
            tensor.CopyFrom(numpy_helper.from_array(turned, tensor.name))
            return
    raise AssertionError(f"no square weight of width {width}")


def drop_a_router(model: onnx.ModelProto) -> None:
    """Let one attention's context pass its gates untouched."""
    readers = {name: node for node in model.graph.node for name in node.input}
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    while node.op_type != "Unsqueeze":
        node = readers[node.output[0]]
    gates = node.output[0]
    gated = readers[gates]
    assert gated.op_type == "Mul"
    context = next(name for name in gated.input if name != gates)
    gated.CopyFrom(helper.make_node("Identity", [context], list(gated.output)))


def ignore_the_delta(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == "delta_a":
                node.input[index] = "delta_a.nothing"
    nothing = helper.make_tensor("nothing", TensorProto.FLOAT, [1], [0.0])
    model.graph.initializer.append(nothing)
    model.graph.node.insert(0, helper.make_node("Mul", ["delta_a", "nothing"], ["delta_a.nothing"]))


@pytest.mark.parametrize(
    "fault", [lambda model: transpose_a_weight(model, 192), drop_a_router, ignore_the_delta]
)
def test_planted_fault_in_the_bridge_is_refused(
    exported: Exported, fault: Callable[[onnx.ModelProto], None]
) -> None:
    model = onnx.load_from_string(exported.engine("bridge"))
    fault(model)
    with pytest.raises(BundleError, match="differs from torch"):
        _check(exported, "bridge", model.SerializeToString())


@pytest.mark.parametrize(("role", "width"), [("vision", 128), ("enrol", 192)])
def test_transposed_weight_is_refused(exported: Exported, role: str, width: int) -> None:
    model = onnx.load_from_string(exported.engine(role))
    transpose_a_weight(model, width)
    with pytest.raises(BundleError, match="differs from torch"):
        _check(exported, role, model.SerializeToString())


def test_a_difference_that_is_no_number_is_refused() -> None:
    with pytest.raises(BundleError, match="nan"):
        refuse_apart({"bridge.presence": float("nan")}, MAX_ABS)


def test_perturbing_moves_every_weight_and_leaves_the_original_alone() -> None:
    torch.manual_seed(0)
    model = build_model(ModelConfig())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    moved = dict(perturb(model, seed=1).named_parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    still = [name for name, tensor in moved.items() if torch.equal(before[name], tensor)]
    assert still == []
    routers = [name for name in moved if ".router.router.weight" in name]
    assert routers
    assert all(not before[name].any() and moved[name].any() for name in routers)


def test_language_engine_agrees_with_torch_on_its_own_rounded_weights(exported: Exported) -> None:
    report = exported.bundle.manifest.evaluation["parity"]["language"]
    assert report["graph_max_abs"] <= 1e-4
    assert report["prefix_max_abs"] <= 1e-4
    assert report["positions"] > report["prompts"] > 0


def test_agreement_where_torch_is_nowhere_clear_is_left_out_of_the_report(exported: Exported) -> None:
    report = exported.bundle.manifest.evaluation["parity"]["language"]
    for name in ("top1", "yes_no"):
        assert (name in report) is (report[f"{name}_clear"] > 0)
    assert 0 <= report["top1_all"] <= 1


def test_language_engine_with_wrong_rotary_positions_is_refused(exported: Exported) -> None:
    model = onnx.load_from_string(exported.engine("language"))
    (table,) = (tensor for tensor in model.graph.initializer if tensor.name == "sin_cache")
    table.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(table), table.name))
    with pytest.raises(BundleError, match="graph_max_abs"):
        _check_language(exported, model.SerializeToString(), LOOSE.language)


def test_language_engine_that_lost_too_much_by_rounding_is_refused(exported: Exported) -> None:
    strict = dataclasses.replace(LOOSE.language, min_cosine=0.9999)
    with pytest.raises(BundleError, match="cosine_mean"):
        _check_language(exported, exported.engine("language"), strict)


def _check_language(exported: Exported, engine: bytes, config: LanguageExport) -> dict[str, float]:
    prompts = made_prompts(exported.model, exported.sizes, windows=1, seed=5)
    return check_language(exported.model.language, engine, exported.tokenizer_json, prompts, config)
