"""`tensorrt` as its bindings describe themselves, by version, and a GPU's memory that is this machine's own.

`tensorrt_api.json` holds names and parameters of the real bindings 10.3.0, 10.16.1 and 11.4.0, read from the
docstrings of the modules themselves. The fake is made from it: a name that a version does not have, or a call
that fits none of its signatures, fails. A plan is the ONNX file, and ONNX Runtime runs it.
"""

from __future__ import annotations

import ctypes
import enum
import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

API: dict[str, Any] = json.loads((Path(__file__).parent / "tensorrt_api.json").read_text(encoding="utf-8"))
VERSIONS = tuple(API)
_PLAN = b"PLAN "


class ContractError(AssertionError):
    """A call that the recorded version of TensorRT does not have."""


def fake_tensorrt(version: str) -> Any:
    """A module `tensorrt` of one version of the contract."""
    module = types.ModuleType("tensorrt")
    module.__dict__["__version__"] = version
    for name, members in API[version]["enums"].items():
        setattr(module, name, enum.IntEnum(name, {member: at for at, member in enumerate(members)}))
    for name in ("Logger", "Builder", "OnnxParser", "Runtime"):
        setattr(module, name, _maker(module, name))
    for at, level in enumerate(API[version]["classes"]["Logger"]["members"]):
        setattr(module.Logger, level, at)
    return module


class Recorded:
    """An object of one class of the contract; what it does is in `_BEHAVIOUR`, its state in `state`."""

    def __init__(self, module: Any, kind: str, **state: Any) -> None:
        self.__dict__.update(
            _module=module, _kind=kind, _api=API[module.__version__]["classes"][kind], state=state
        )

    def __getattr__(self, name: str) -> Any:
        if name in self._api["properties"]:
            return _behaviour(self._kind, name)(self)
        if name not in self._api["methods"]:
            raise ContractError(f"TensorRT {self._module.__version__} has no {self._kind}.{name}")

        def call(*args: Any, **kwargs: Any) -> Any:
            given = fit(self._module.__version__, self._kind, name, args, kwargs)
            return _behaviour(self._kind, name)(self, **given)

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._api["properties"]:
            raise ContractError(f"TensorRT {self._module.__version__} has no {self._kind}.{name}")
        self.state[name] = value

    def __bool__(self) -> bool:
        return bool(self.state.get("valid", True))

    def __bytes__(self) -> bytes:
        if self._kind != "IHostMemory":
            raise ContractError(f"{self._kind} is no buffer")
        return bytes(self.state["data"])


def fit(version: str, kind: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name, as one of the recorded signatures takes them."""
    for signature in API[version]["classes"][kind]["methods"][name]:
        names = [parameter.rstrip("?") for parameter in signature]
        given = dict(zip(names, args, strict=False)) | kwargs
        needed = {parameter for parameter in signature if not parameter.endswith("?")}
        if len(args) <= len(names) and set(given) <= set(names) and needed <= set(given):
            return given
    raise ContractError(f"TensorRT {version}: {kind}.{name} takes no {args} {sorted(kwargs)}")


def _maker(module: Any, kind: str) -> Any:
    def make(*args: Any, **kwargs: Any) -> Recorded:
        return Recorded(module, kind, **fit(module.__version__, kind, "__init__", args, kwargs))

    return make


def _behaviour(kind: str, name: str) -> Any:
    found = _BEHAVIOUR.get((kind, name))
    if found is None:
        raise ContractError(f"the fake does not know what {kind}.{name} does")
    return found


def _new(of: Recorded, kind: str, **state: Any) -> Recorded:
    return Recorded(of._module, kind, **state)


def _create_network(builder: Recorded, flags: int = 0) -> Recorded:
    strongly = 1 << int(builder._module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    return _new(builder, "INetworkDefinition", onnx=None, strong=flags == strongly)


def _parse(parser: Recorded, model: bytes, path: str | None = None) -> bool:
    try:
        onnx.checker.check_model(onnx.load_from_string(model))
    except Exception as error:  # noqa: BLE001 - whatever protobuf or onnx raise
        parser.state["errors"] = [str(error).splitlines()[0]]
        return False
    parser.state["network"].state["onnx"] = model
    return True


def _inputs(network: Recorded) -> list[onnx.ValueInfoProto]:
    return list(onnx.load_from_string(network.state["onnx"]).graph.input)


def _build(builder: Recorded, network: Recorded, config: Recorded) -> Recorded | None:
    if not network.state["strong"] or config.state.get("fails"):
        return None
    free = {
        value.name
        for value in _inputs(network)
        if any(size.dim_param for size in value.type.tensor_type.shape.dim)
    }
    profiles = config.state.get("profiles", [])
    shapes = profiles[0].state["shapes"] if profiles else {}
    if free != set(shapes):
        return None
    config.state["cache"].state["data"] += b"timed "
    head = json.dumps({"version": builder._module.__version__, "shapes": shapes}).encode()
    return _new(builder, "IHostMemory", data=_PLAN + head + b"\n" + network.state["onnx"])


def _deserialize(runtime: Recorded, serialized_engine: bytes) -> Recorded | None:
    head, mark, model = serialized_engine.removeprefix(_PLAN).partition(b"\n")
    if not serialized_engine.startswith(_PLAN) or not mark:
        return None
    about = json.loads(head)
    if about["version"] != runtime._module.__version__:
        return None
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return _new(runtime, "ICudaEngine", session=session, shapes=about["shapes"])


def _tensor(engine: Recorded, name: str) -> tuple[Any, bool]:
    session = engine.state["session"]
    inputs = {one.name: one for one in session.get_inputs()}
    outputs = {one.name: one for one in session.get_outputs()}
    return (inputs[name], True) if name in inputs else (outputs[name], False)


def _names(engine: Recorded) -> list[str]:
    session = engine.state["session"]
    return [one.name for one in (*session.get_inputs(), *session.get_outputs())]


def _dtype(engine: Recorded, name: str) -> Any:
    kinds = {"tensor(float)": "FLOAT", "tensor(float16)": "HALF", "tensor(int64)": "INT64"}
    return engine._module.DataType[kinds[_tensor(engine, name)[0].type]]


def _mode(engine: Recorded, name: str) -> Any:
    return engine._module.TensorIOMode["INPUT" if _tensor(engine, name)[1] else "OUTPUT"]


def _shape(engine: Recorded, name: str) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else -1 for size in _tensor(engine, name)[0].shape)


def _set_input_shape(context: Recorded, name: str, shape: tuple[int, ...]) -> bool:
    engine = context.state["engine"]
    if name in engine.state["shapes"]:
        least, _, most = engine.state["shapes"][name]
        if not all(a <= size <= b for a, size, b in zip(least, shape, most, strict=True)):
            return False
    elif tuple(shape) != _shape(engine, name):
        return False
    context.state["shapes"][name] = tuple(shape)
    return True


def _known_shape(context: Recorded, name: str) -> tuple[int, ...]:
    """Outputs have the sizes that the letters have in the inputs."""
    tensor, is_input = _tensor(context.state["engine"], name)
    if is_input:
        return tuple(context.state["shapes"][name])
    letters: dict[str, int] = {}
    for given, shape in context.state["shapes"].items():
        spec = _tensor(context.state["engine"], given)[0].shape
        letters |= {size: found for size, found in zip(spec, shape, strict=True) if isinstance(size, str)}
    return tuple(size if isinstance(size, int) else letters.get(size, -1) for size in tensor.shape)


def _set_address(context: Recorded, name: str, memory: int) -> bool:
    if name not in _names(context.state["engine"]):
        return False
    context.state["addresses"][name] = memory
    return True


def _execute(context: Recorded, stream_handle: int) -> bool:
    engine, at = context.state["engine"], context.state["addresses"]
    session = engine.state["session"]
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}
    feeds = {}
    for one in session.get_inputs():
        like = np.empty(context.state["shapes"][one.name], dtype=kinds[one.type])
        ctypes.memmove(like.ctypes.data, at[one.name], like.nbytes)
        feeds[one.name] = like
    for one, value in zip(session.get_outputs(), session.run(None, feeds), strict=True):
        whole = np.ascontiguousarray(value)
        ctypes.memmove(at[one.name], whole.ctypes.data, whole.nbytes)
    return True


def _set_cache(config: Recorded, cache: Recorded, ignore_mismatch: bool) -> bool:
    if cache.state["data"].startswith(b"elsewhere"):
        return False
    config.state["cache"] = cache
    return True


def _add_profile(config: Recorded, profile: Recorded) -> int:
    config.state.setdefault("profiles", []).append(profile)
    return len(config.state["profiles"]) - 1


_BEHAVIOUR: dict[tuple[str, str], Any] = {
    ("Builder", "create_network"): _create_network,
    ("Builder", "create_builder_config"): lambda b: _new(b, "IBuilderConfig"),
    ("Builder", "create_optimization_profile"): lambda b: _new(b, "IOptimizationProfile", shapes={}),
    ("Builder", "build_serialized_network"): _build,
    ("INetworkDefinition", "num_inputs"): lambda n: len(_inputs(n)),
    ("INetworkDefinition", "get_input"): lambda n, index: _new(n, "ITensor", name=_inputs(n)[index].name),
    ("ITensor", "name"): lambda t: t.state["name"],
    ("OnnxParser", "parse"): _parse,
    ("OnnxParser", "num_errors"): lambda p: len(p.state.get("errors", [])),
    ("OnnxParser", "get_error"): lambda p, index: _new(p, "ParserError", text=p.state["errors"][index]),
    ("ParserError", "desc"): lambda e: e.state["text"],
    ("IBuilderConfig", "set_memory_pool_limit"): lambda c, pool, pool_size: c.state.update({pool: pool_size}),
    ("IBuilderConfig", "clear_flag"): lambda c, flag: c.state.setdefault("cleared", []).append(flag),
    ("IBuilderConfig", "create_timing_cache"): lambda c, serialized_timing_cache: _new(
        c, "ITimingCache", data=bytes(serialized_timing_cache)
    ),
    ("IBuilderConfig", "set_timing_cache"): _set_cache,
    ("IBuilderConfig", "get_timing_cache"): lambda c: c.state["cache"],
    ("IBuilderConfig", "add_optimization_profile"): _add_profile,
    ("IOptimizationProfile", "set_shape"): lambda p, input, min, opt, max: p.state["shapes"].update(  # noqa: A006
        {input: [list(min), list(opt), list(max)]}
    ),
    ("ITimingCache", "serialize"): lambda t: _new(t, "IHostMemory", data=t.state["data"]),
    ("Runtime", "deserialize_cuda_engine"): _deserialize,
    ("ICudaEngine", "create_execution_context"): lambda e: _new(
        e, "IExecutionContext", engine=e, shapes={}, addresses={}
    ),
    ("ICudaEngine", "num_io_tensors"): lambda e: len(_names(e)),
    ("ICudaEngine", "get_tensor_name"): lambda e, index: _names(e)[index],
    ("ICudaEngine", "get_tensor_mode"): _mode,
    ("ICudaEngine", "get_tensor_dtype"): _dtype,
    ("ICudaEngine", "get_tensor_shape"): _shape,
    ("IExecutionContext", "set_input_shape"): _set_input_shape,
    ("IExecutionContext", "get_tensor_shape"): _known_shape,
    ("IExecutionContext", "set_tensor_address"): _set_address,
    ("IExecutionContext", "execute_async_v3"): _execute,
}


class FakeCudart:
    """The CUDA runtime library with this machine's memory; what is allocated and freed is counted."""

    def __init__(self, *, capability: tuple[int, int] = (8, 7), version: int = 12060) -> None:
        self.capability, self.runtime_version = capability, version
        self.memory: dict[int, Any] = {}

    def cudaRuntimeGetVersion(self, found: Any) -> int:  # noqa: N802
        found._obj.value = self.runtime_version
        return 0

    def cudaGetDevice(self, found: Any) -> int:  # noqa: N802
        found._obj.value = 0
        return 0

    def cudaDeviceGetAttribute(self, found: Any, attribute: int, device: Any) -> int:  # noqa: N802
        found._obj.value = self.capability[attribute - 75]
        return 0

    def cudaMalloc(self, address: Any, size: Any) -> int:  # noqa: N802
        if size.value > 1 << 30:
            return 2
        block = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(block)
        self.memory[ctypes.addressof(block)] = block
        return 0

    def cudaFree(self, address: Any) -> int:  # noqa: N802
        return 0 if self.memory.pop(address.value, None) is not None else 1

    def cudaStreamCreate(self, stream: Any) -> int:  # noqa: N802
        stream._obj.value = 7
        return 0

    def cudaStreamSynchronize(self, stream: Any) -> int:  # noqa: N802
        return 0 if stream.value == 7 else 1

    def cudaMemcpyAsync(self, to: Any, source: Any, size: Any, kind: int, stream: Any) -> int:  # noqa: N802
        on_device = (to if kind == 1 else source).value
        if on_device not in self.memory or len(self.memory[on_device]) < size.value:
            return 1
        ctypes.memmove(to.value, source.value, size.value)
        return 0
