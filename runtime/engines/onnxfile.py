"""Looks into an ONNX file for weights kept elsewhere. Knows just enough of protobuf; runs nothing.

A model that names another file would make the inference library open a path of the model's choosing, outside
the hashes of the bundle.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

from runtime.contract.errors import BundleError

# Field numbers of onnx.proto3 on the way from a model to its tensors, by message.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 64


def names_external_data(model: bytes | mmap.mmap) -> bool:
    """Whether any tensor of a serialised ONNX model lies in another file; weights are stepped over.

    Raises:
        BundleError: the bytes are no protobuf message.
    """
    return _external(memoryview(model), "model", 0)


def _external(data: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise BundleError("an engine file nests graphs too deeply to be checked.", "Do not use this bundle.")
    children = _CHILDREN.get(kind, {})
    for field, wire, value in _fields(data):
        if kind == "tensor":
            if field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_DATA_LOCATION and value != 0):
                return True
        elif (
            field in children
            and wire == _BYTES
            and isinstance(value, memoryview)
            and _external(value, children[field], depth + 1)
        ):
            return True
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield field, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise BundleError(
                f"an engine file is no ONNX model (wire type {wire}).", "Copy the bundle again."
            )
        if at + size > len(data):
            raise BundleError("an engine file ends too early.", "Copy the bundle again.")
        yield field, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise BundleError("an engine file ends too early.", "Copy the bundle again.")
