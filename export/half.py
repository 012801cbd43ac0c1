"""Stores float32 weights as float16 where that loses nothing. Knows no engine and no torch.

A weight that survives the round trip to float16 bit for bit is stored as float16 and cast back to float32 by
the graph (ONNX Runtime does it once, when it loads the file); every other weight stays float32. So the file
halves and not one computed bit changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MIN_ELEMENTS = 64
_SUFFIX = ".half"


@dataclass(frozen=True, slots=True)
class HalfReport:
    """What became of the weights, in elements.

    Attributes:
        halved: stored as float16.
        kept: float32 as before, because float16 cannot hold them, or too few to matter.
    """

    halved: int
    kept: int


def halve(model: onnx.ModelProto) -> HalfReport:
    """Halve the weights of a model in place."""
    halved = kept = 0
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        same = np.array_equal(half.astype(np.float32).view(np.uint32), values.view(np.uint32))
        if values.size < MIN_ELEMENTS or not same:
            kept += values.size
            continue
        halved += values.size
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, name + _SUFFIX))
        casts.append(
            helper.make_node("Cast", [name + _SUFFIX], [name], name=name + ".cast", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return HalfReport(halved, kept)
