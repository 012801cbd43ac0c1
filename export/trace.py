"""From a torch module to one ONNX file with all weights inside. Knows no bundle and no parity.

Batch normalisation is left as it is: folded into a convolution it would make weights that float16 cannot
hold, and ONNX Runtime folds it anyway when it loads the file.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import onnx_ir
import onnxscript.optimizer
import torch
from onnx_ir.passes import common as passes
from torch import nn

from export.half import halve
from export.specs import DYNAMIC
from export.wrappers import Arrays
from runtime.contract.bundle import EngineSpec
from runtime.contract.errors import BundleError

MAX_IR = 10
_LARGEST = 4096
_KNOWN_WARNINGS = (
    (FutureWarning, r".isinstance\(treespec, LeafSpec\). is deprecated"),
    (UserWarning, r"# The axis name: \w+ will not be used, since it shares the same shape constraints"),
)
"""Raised inside torch 2.13's exporter by its own code; nothing that we pass avoids them."""


def trace(role: str, module: nn.Module, specs: EngineSpec, example: Arrays, *, opset: int) -> bytes:
    """Export one engine.

    Args:
        role: vision, head, bridge or enrol.
        example: inputs of one size; the free letter must differ from 1.

    Returns:
        the ONNX file.

    Raises:
        BundleError: inputs or outputs of the graph are not those of the manifest.
    """
    inputs = tuple(torch.from_numpy(example[spec.name]) for spec in specs.inputs)
    with _quiet():
        program = torch.onnx.export(
            copy.deepcopy(module).eval(),
            inputs,
            input_names=[spec.name for spec in specs.inputs],
            output_names=[spec.name for spec in specs.outputs],
            dynamic_shapes=_dynamic(role, specs),
            opset_version=opset,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
        if program is None:
            raise BundleError(f"torch exported nothing for engine {role}.")
        model = onnx_ir.to_proto(_tidy(program.model))
    halve(model)
    _check(role, model, specs, opset)
    return bytes(model.SerializeToString(deterministic=True))


def strip(model: onnx.ModelProto) -> None:
    """Remove what only says where and by what a graph was made: stack traces hold the maker's paths."""
    graph = model.graph
    for part in (model, graph):
        part.doc_string = ""
        del part.metadata_props[:]
    for named in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        named.doc_string = ""
        if hasattr(named, "metadata_props"):
            del named.metadata_props[:]
    del graph.value_info[:]


def _dynamic(role: str, specs: EngineSpec) -> tuple[dict[int, torch.export.Dim] | None, ...] | None:
    letter = DYNAMIC[role]
    if not letter:
        return None
    free = torch.export.Dim(letter, min=1, max=_LARGEST)
    return tuple(
        {axis: free for axis, size in enumerate(spec.shape) if size == letter} or None
        for spec in specs.inputs
    )


def _tidy(model: onnx_ir.Model) -> onnx_ir.Model:
    """Fold constants and drop what is then unused; no fusions."""
    passes.InlinePass()(model)
    for _ in range(2):
        onnxscript.optimizer.fold_constants_ir(model)
        passes.RemoveUnusedNodesPass()(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    passes.DeduplicateInitializersPass()(model)
    passes.CommonSubexpressionEliminationPass()(model)
    passes.RemoveUnusedFunctionsPass()(model)  # type: ignore[no-untyped-call]
    passes.RemoveUnusedOpsetsPass()(model)
    return model


def _check(role: str, model: onnx.ModelProto, specs: EngineSpec, opset: int) -> None:
    strip(model)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions != {"": opset} or model.ir_version > MAX_IR:
        raise BundleError(
            f"engine {role} came out with opsets {versions} and IR {model.ir_version}; "
            f"the box takes opset {opset} and IR {MAX_IR} at most."
        )
    for what, wanted, found in (
        ("inputs", specs.inputs, model.graph.input),
        ("outputs", specs.outputs, model.graph.output),
    ):
        shapes = {
            value.name: tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim)
            for value in found
        }
        expected = {spec.name: spec.shape for spec in wanted}
        if shapes != expected:
            raise BundleError(f"engine {role} has the {what} {shapes}, expected {expected}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own known warnings and its notes on packages that are not installed."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category, message in _KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", message, category)
            yield
    finally:
        logger.setLevel(before)
