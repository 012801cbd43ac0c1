"""ONNX graphs of the right shapes with simple sums instead of learned ones, for tests of the session.

The world they know: a person is a square of one grid cell with a red channel near 255; green and blue say who
it is. Knows no bundle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

T, P, DV, E, G, M, Q, D, K, R = 8, 48, 128, 128, 12, 32, 16, 192, 4, 4
KEYS = 8
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
Floats = NDArray[np.float32]


def fixed(rows: int, columns: int, seed: int) -> Floats:
    """float32 (rows, columns) with orthonormal rows, the same on every call."""
    rng = np.random.default_rng(seed)
    square, _ = np.linalg.qr(rng.standard_normal((columns, columns)))
    return square[:rows].astype(np.float32)


class Graph:
    """Collects nodes; every method that adds one returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def const(self, value: NDArray[np.generic] | float | list[int]) -> str:
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def build(self, inputs: dict[str, list[int | str]], outputs: dict[str, list[int | str]]) -> bytes:
        def info(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
            kind = TensorProto.INT64 if name == "attention_mask" else TensorProto.FLOAT
            return helper.make_tensor_value_info(name, kind, shape)

        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [info(name, shape) for name, shape in inputs.items()],
            [info(name, shape) for name, shape in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


Shapes = dict[str, list[int | str]]

VISION: tuple[Shapes, Shapes] = (
    {"pixels": ["T", 3, 144, 192]},
    {"tokens": ["T", P, DV], "people": ["T", P, 9]},
)
HEAD: tuple[Shapes, Shapes] = (
    {"crops": ["N", 3, 64, 64]},
    {"embeddings": ["N", E], "quality": ["N"], "shift": ["N", 3]},
)
BODY_SIGNS, POSE = 2, 3
BODY: tuple[Shapes, Shapes] = ({"crops": ["N", 3, 112, 80]}, {"signs": ["N", BODY_SIGNS]})
BRIDGE: tuple[Shapes, Shapes] = (
    {
        "scene": [T, P, DV],
        "scene_valid": [1],
        "person_embed": [M, E],
        "person_geom": [M, G],
        "person_valid": [M],
        "queries": ["S", Q, D],
        "templates": ["S", E],
        "subject_valid": ["S"],
        "delta_a": ["S", K, D, R],
        "delta_b": ["S", K, R, D],
    },
    {"base_rows": [Q, D], "subject_rows": ["S", Q, D], "presence": ["S"], "match": ["S", M]},
)
ENROL: tuple[Shapes, Shapes] = (
    {"person_embed": [64, E], "person_geom": [64, G], "person_valid": [64]},
    {"queries": [Q, D], "soft_tokens": [Q, D], "token": [D]},
)
LANGUAGE_IN: Shapes = {
    "inputs_embeds": [1, "L", D],
    "attention_mask": [1, "total"],
    "past_key_values.0.key": [1, 1, "past", KEYS],
    "past_key_values.0.value": [1, 1, "past", KEYS],
}


def with_signs() -> tuple[Shapes, Shapes]:
    """The bridge's shapes in a bundle that has a body engine."""
    inputs, outputs = BRIDGE
    return {**inputs, "person_signs": [M, BODY_SIGNS + POSE]}, outputs


def with_parts() -> tuple[Shapes, Shapes]:
    """The vision engine's shapes where it tells parts of bodies."""
    inputs, outputs = VISION
    return inputs, {**outputs, "people": ["T", P, 10]}


def with_pose() -> tuple[Shapes, Shapes]:
    """The head engine's shapes where it tells the pose."""
    inputs, outputs = HEAD
    return inputs, {**outputs, "pose": ["N", POSE]}


def vision(*, parts: bool = False) -> bytes:
    """Cells' mean colours; a person where red is above 0.7 of its range, part of a body where green is."""
    g = Graph()
    pooled = g.add("AveragePool", "pixels", kernel_shape=[24, 24], strides=[24, 24])
    cells = g.add("Transpose", g.add("Reshape", pooled, g.const([0, 3, P])), perm=[0, 2, 1])
    rgb = g.add("Add", g.add("Mul", cells, g.const(STD)), g.const(MEAN))
    g.add("MatMul", rgb, g.const(fixed(3, DV, 1)), out="tokens")
    red = g.add("MatMul", rgb, g.const(np.array([[1.0], [0.0], [0.0]])))
    logit = g.add("Mul", g.add("Sub", red, g.const(0.7)), g.const(40.0))
    column, row = np.arange(P) % 8, np.arange(P) // 8
    x0, y0 = column / 8, row / 6
    boxes = np.stack(
        [x0 + 1 / 16, y0 + 1 / 12, np.full(P, 1 / 8), np.full(P, 1 / 6), x0, y0, x0 + 1 / 8, y0 + 1 / 3], 1
    )
    spread = g.add("Add", g.add("Mul", logit, g.const(0.0)), g.const(boxes[None]))
    if not parts:
        g.add("Concat", logit, spread, out="people", axis=2)
        return g.build(*VISION)
    green = g.add("MatMul", rgb, g.const(np.array([[0.0], [1.0], [0.0]])))
    part = g.add("Mul", g.add("Sub", green, g.const(0.7)), g.const(40.0))
    g.add("Concat", logit, spread, part, out="people", axis=2)
    return g.build(*with_parts())


def head(*, pose: bool = False) -> bytes:
    """Unit embedding from green and blue in the crop's middle; quality from red; the pose is its colours."""
    g = Graph()
    middle = g.add("Slice", "crops", g.const([24, 24]), g.const([40, 40]), g.const([2, 3]))
    mean = g.add("ReduceMean", middle, g.const([2, 3]), keepdims=0)
    rgb = g.add("Add", g.add("Mul", mean, g.const(STD)), g.const(MEAN))
    centred = g.add("Sub", rgb, g.const(np.array([0.9, 0.235, 0.235])))
    raw = g.add("MatMul", centred, g.const(np.diag([0.05, 1.0, 1.0]) @ fixed(3, E, 2)))
    length = g.add("ReduceL2", raw, g.const([1]), keepdims=1)
    g.add("Div", raw, g.add("Max", length, g.const(1e-6)), out="embeddings")
    red = g.add("Squeeze", g.add("MatMul", rgb, g.const(np.array([[1.0], [0.0], [0.0]]))), g.const([1]))
    scaled = g.add("Mul", g.add("Sub", red, g.const(0.7)), g.const(3.3))
    g.add("Clip", scaled, g.const(0.0), g.const(1.0), out="quality")
    g.add("Mul", centred, g.const(0.0), out="shift")
    if pose:
        g.add("Identity", rgb, out="pose")
    return g.build(*(with_pose() if pose else HEAD))


def body() -> bytes:
    """Signs are the mean red and green of the crop."""
    g = Graph()
    mean = g.add("ReduceMean", "crops", g.const([2, 3]), keepdims=0)
    rgb = g.add("Add", g.add("Mul", mean, g.const(STD)), g.const(MEAN))
    g.add("Slice", rgb, g.const([0]), g.const([BODY_SIGNS]), g.const([1]), out="signs")
    return g.build(*BODY)


def bridge(*, leak: bool = False, signs: bool = False) -> bytes:
    """presence = 10 x best cosine - 5; `leak` adds a little of who else is installed; signs weigh nothing."""
    g = Graph()
    cosine = g.add("MatMul", "templates", g.add("Transpose", "person_embed", perm=[1, 0]))
    off = g.add("Mul", g.add("Sub", "person_valid", g.const(1.0)), g.const(3.0))
    seen = g.add("Add", g.add("Mul", cosine, "person_valid"), off)
    g.add("Softmax", g.add("Mul", seen, g.const(20.0)), out="match", axis=1)
    best = g.add("ReduceMax", seen, g.const([1]), keepdims=0)
    score = g.add("Sub", g.add("Mul", best, g.const(10.0)), g.const(5.0))
    if leak:
        others = g.add("ReduceSum", "subject_valid", g.const([0]), keepdims=1)
        score = g.add("Add", score, g.add("Mul", others, g.const(0.01)))
    if signs:
        silent = g.add("Mul", g.add("ReduceSum", "person_signs", keepdims=0), g.const(0.0))
        score = g.add("Add", score, silent)
    presence = g.add("Mul", score, "subject_valid", out="presence")
    scene = g.add("ReduceMean", "scene", g.const([0, 1]), keepdims=0)
    row = g.add("MatMul", g.add("Unsqueeze", scene, g.const([0])), g.const(fixed(DV, D, 3)))
    g.add("Expand", row, g.const([Q, D]), out="base_rows")
    tinted = g.add("Unsqueeze", presence, g.const([1, 2]))
    g.add("Add", "queries", tinted, out="subject_rows")
    return g.build(*(with_signs() if signs else BRIDGE))


def enrol() -> bytes:
    """All rows are the mean reference embedding, turned."""
    g = Graph()
    valid = g.add("Unsqueeze", "person_valid", g.const([0]))
    total = g.add("MatMul", valid, "person_embed")
    count = g.add("Max", g.add("ReduceSum", valid, g.const([1]), keepdims=1), g.const(1.0))
    row = g.add("MatMul", g.add("Div", total, count), g.const(fixed(E, D, 4)))
    g.add("Expand", row, g.const([Q, D]), out="queries")
    g.add("Expand", g.add("Mul", row, g.const(0.5)), g.const([Q, D]), out="soft_tokens")
    g.add("Squeeze", g.add("Mul", row, g.const(0.1)), g.const([0]), out="token")
    return g.build(*ENROL)


def language(following: Floats, heard: Floats, tint: Floats) -> bytes:
    """A decoder that follows a table, and adds what all tokens so far weigh.

    Args:
        following: float32 (D, V): logits from the last input's embedding.
        heard: float32 (D, 8): what each input adds to the sum over all positions.
        tint: float32 (8, V): logits from that sum.
    """
    g = Graph()
    vocabulary = following.shape[1]
    for name, weights in (("key", heard[:, ::-1].copy()), ("value", heard)):
        new = g.add("Unsqueeze", g.add("MatMul", "inputs_embeds", g.const(weights)), g.const([1]))
        g.add("Concat", f"past_key_values.0.{name}", new, out=f"present.0.{name}", axis=2)
    total = g.add("Squeeze", g.add("ReduceSum", "present.0.value", g.const([2]), keepdims=1), g.const([1]))
    last = g.add("Slice", "inputs_embeds", g.const([-1]), g.const([1 << 40]), g.const([1]))
    g.add(
        "Add",
        g.add("MatMul", last, g.const(following)),
        g.add("MatMul", total, g.const(tint)),
        out="logits",
    )
    return g.build(LANGUAGE_IN, language_out(vocabulary))


def language_out(vocabulary: int) -> Shapes:
    """Outputs of the language graph."""
    cache: list[int | str] = [1, 1, "total", KEYS]
    return {"logits": [1, 1, vocabulary], "present.0.key": cache, "present.0.value": cache}
