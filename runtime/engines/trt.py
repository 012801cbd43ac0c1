"""Engines in TensorRT: loads a plan that was built on this box, and runs it. Knows no bundle and no building.

One code path for TensorRT 10.3, 10.16 and 11: `tensorrt` is imported when the first plan is opened.
"""

from __future__ import annotations

import importlib
import math
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.contract.errors import BundleError, EngineError
from runtime.engines.base import Array, check_inputs, check_outputs
from runtime.engines.cuda import Cuda, DeviceBuffer, host_array
from runtime.engines.plans import REBUILD

_DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT64": "int64", "INT32": "int32", "BOOL": "bool",
}  # fmt: skip


def library() -> Any:
    """The `tensorrt` package.

    Raises:
        EngineError: it is not installed, or its libraries do not load.
    """
    try:
        return importlib.import_module("tensorrt")
    except (ImportError, OSError) as error:
        raise EngineError(
            f"TensorRT is not installed here ({error}).",
            "JetPack brings it; elsewhere `pip install 'pvchat-edge[trt]'`, or choose device cpu or cuda.",
        ) from error


class TrtEngine:
    """One network as a TensorRT plan; one run at a time."""

    def __init__(self, role: str, plan: bytes, specs: EngineSpec, *, trt: Any, cuda: Cuda) -> None:
        """Load a plan.

        Args:
            role: name in messages. plan: as `runtime.engines.trt_build` made it.
            specs: what the manifest says of it. trt: `library()`. cuda: the device.

        Raises:
            EngineError: TensorRT does not take the plan.
            BundleError: inputs and outputs other than the manifest says.
        """
        self.role = role
        self._specs, self._cuda = specs, cuda
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        engine = self._runtime.deserialize_cuda_engine(plan)
        context = None if engine is None else engine.create_execution_context()
        if context is None:
            raise EngineError(f"engine {role}: TensorRT does not load the plan.", REBUILD)
        _match(role, specs, engine, trt)
        self._engine, self._context = engine, context
        self._stream = cuda.stream()
        self._buffers = {spec.name: DeviceBuffer(cuda) for spec in (*specs.inputs, *specs.outputs)}
        self._one = threading.Lock()

    @property
    def specs(self) -> EngineSpec:
        """What goes in and out."""
        return self._specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name; see `Engine.run`.

        Raises:
            EngineError: as there, or a shape outside the profile that the plan was built with.
        """
        check_inputs(self.role, self._specs, inputs)
        with self._one:
            kept = [self._feed(spec, np.ascontiguousarray(inputs[spec.name])) for spec in self._specs.inputs]
            outputs = {spec.name: self._place(spec) for spec in self._specs.outputs}
            if not self._context.execute_async_v3(self._stream):
                raise EngineError(f"engine {self.role} failed in TensorRT.", "Run `pvchat-edge doctor`.")
            for name, array in outputs.items():
                self._cuda.to_host(array, self._buffers[name].address(array.nbytes), self._stream)
            self._cuda.wait(self._stream)
            del kept  # until here the copies to the device may still have read them
        check_outputs(self.role, self._specs, outputs)
        return outputs

    def close(self) -> None:
        """Give the device's memory back."""
        with self._one:
            for buffer in self._buffers.values():
                buffer.release()

    def _feed(self, spec: TensorSpec, array: Array) -> Array:
        if not self._context.set_input_shape(spec.name, tuple(array.shape)):
            raise EngineError(
                f"engine {self.role}: {spec.name} {array.shape} is outside the sizes it was built for.",
                "Export the bundle with a larger profile.",
            )
        address = self._buffers[spec.name].address(array.nbytes)
        self._cuda.to_device(address, array, self._stream)
        self._bind(spec.name, address)
        return array

    def _place(self, spec: TensorSpec) -> Array:
        shape = tuple(int(size) for size in self._context.get_tensor_shape(spec.name))
        if any(size < 0 for size in shape):
            raise EngineError(
                f"engine {self.role}: TensorRT does not know the shape of {spec.name}.", REBUILD
            )
        array = host_array(shape, spec.dtype)
        self._bind(spec.name, self._buffers[spec.name].address(math.prod(shape) * array.itemsize))
        return array

    def _bind(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise EngineError(f"engine {self.role}: TensorRT knows no tensor {name}.", REBUILD)


def _match(role: str, specs: EngineSpec, engine: Any, trt: Any) -> None:
    """Compare the manifest with the plan: names, directions, dtypes, and every size that both know."""
    names = {engine.get_tensor_name(number) for number in range(engine.num_io_tensors)}
    wrong = sorted(names ^ {spec.name for spec in (*specs.inputs, *specs.outputs)})
    for tensors, mode in ((specs.inputs, trt.TensorIOMode.INPUT), (specs.outputs, trt.TensorIOMode.OUTPUT)):
        for spec in tensors:
            if spec.name in names and not _fits(spec, mode, engine):
                wrong.append(spec.name)
    if wrong:
        raise BundleError(f"engine {role}: manifest and plan disagree about {', '.join(wrong)}.", REBUILD)


def _fits(spec: TensorSpec, mode: Any, engine: Any) -> bool:
    shape = [int(size) for size in engine.get_tensor_shape(spec.name)]
    known = engine.get_tensor_dtype(spec.name).name
    same = engine.get_tensor_mode(spec.name) == mode and _DTYPES.get(known, known) == spec.dtype
    return (
        same
        and len(shape) == len(spec.shape)
        and all(
            theirs < 0 or not isinstance(ours, int) or ours == theirs
            for ours, theirs in zip(spec.shape, shape, strict=True)
        )
    )
