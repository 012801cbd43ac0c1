"""Static int8 of an exported engine, to see where it would pay. Scales are fixed: no frame sees another's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from export.wrappers import Arrays


class _Inputs(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, inputs: Sequence[Arrays]) -> None:
        self._left: Iterator[Arrays] = iter(inputs)

    def get_next(self) -> dict[str, object] | None:
        """The next inputs to calibrate on."""
        return dict(found) if (found := next(self._left, None)) is not None else None


def quantised(raw: bytes, inputs: Sequence[Arrays]) -> bytes:
    """Weights and the activations of products in 8 bits, activations scaled by what `inputs` gave.

    Args:
        raw: an ONNX file with float32 weights. inputs: to calibrate on.
    """
    with tempfile.TemporaryDirectory(prefix="pvchat-int8-") as name:
        before, after = Path(name) / "float.onnx", Path(name) / "int8.onnx"
        before.write_bytes(raw)
        quantize_static(
            before,
            after,
            _Inputs(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,  # without VNNI a sum of two products of 8 bits overflows its 16
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        return after.read_bytes()
