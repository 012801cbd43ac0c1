"""Engines in ONNX Runtime. Knows no bundle directory and no meaning of any tensor.

ONNX Runtime falls back to the CPU in silence when a provider does not load; here the provider that is used is
the one that was asked for, or there is no engine.
"""

from __future__ import annotations

import importlib
import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.contract.errors import BundleError, EngineError
from runtime.engines.base import Array, Run, check_inputs, check_outputs
from runtime.engines.heap import freed_is_given_back
from runtime.engines.onnxfile import names_external_data

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_HOST = "cpu"
_LOG_ERRORS_ONLY = 3
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}

T = TypeVar("T")


class OrtEngine:
    """One network in one ONNX Runtime session."""

    def __init__(
        self, role: str, model: bytes | BinaryIO, specs: EngineSpec, *, provider: str, threads: int,
        arena: bool = True, spin: bool = False,
    ) -> None:  # fmt: skip
        """Load a network.

        Args:
            role: name in messages.
            model: the ONNX file's bytes, or the file itself, open; all weights inside. From a file no second
                copy of the weights is held while they are loaded.
            specs: what the manifest says of it.
            provider: ONNX Runtime's name of where it must run.
            threads: CPU threads one run may use.
            arena: whether memory of a run is kept for the next. A decoder's prompt needs much more than its
                steps, which are as fast without.
            spin: whether threads wait for their next piece of a run awake (ADR 0051).

        Raises:
            BundleError: external weights, or inputs and outputs other than the manifest says.
            EngineError: no ONNX Runtime, the provider does not load, or the file is no network.
        """
        if names_external_data(model if isinstance(model, bytes) else _mapped(role, model)):
            raise BundleError(
                f"engine {role} keeps weights in another file.", "Export it again with all weights inside."
            )
        self.role, self.spins = role, spin
        self._specs = specs
        source = model if isinstance(model, bytes) else _name_of(model)
        with freed_is_given_back():
            self._session = _open(role, source, provider, threads, arena=arena, spin=spin)
        _match(role, "inputs", specs.inputs, self._session.get_inputs())
        _match(role, "outputs", specs.outputs, self._session.get_outputs())
        self._names = [spec.name for spec in specs.outputs]

    @property
    def provider(self) -> str:
        """Where it really runs, as ONNX Runtime says of the loaded session."""
        return str(self._session.get_providers()[0])

    @property
    def specs(self) -> EngineSpec:
        """What goes in and out."""
        return self._specs

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name; see `Engine.run`."""
        check_inputs(self.role, self._specs, inputs)
        feeds = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        values = self._try(lambda: self._session.run(self._names, feeds))
        outputs = dict(zip(self._names, values, strict=True))
        check_outputs(self.role, self._specs, outputs)
        return outputs

    def bind(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Run:
        """See `BindingEngine.bind`."""
        others = [spec.name for spec in self._specs.inputs if spec.name not in inputs]
        check_inputs(self.role, self._specs, inputs, others)
        io = self._try(lambda: self._bound(inputs, outputs))
        free = [name for name in self._names if name not in outputs]

        def run(rest: Mapping[str, Array]) -> dict[str, Array]:
            check_inputs(self.role, self._specs, rest, inputs)
            fed = {name: np.ascontiguousarray(array) for name, array in rest.items()}
            for name, array in fed.items():
                io.bind_cpu_input(name, array)
            for name in free:
                io.bind_output(name, _HOST)
            self._try(lambda: self._session.run_with_iobinding(io))
            found = dict(zip([*outputs, *free], io.get_outputs(), strict=True))
            given = {name: found[name].numpy() for name in free}
            check_outputs(self.role, self._specs, given, outputs)
            return given

        return run

    def _bound(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Any:
        io = self._session.io_binding()
        for name, array in inputs.items():
            io.bind_cpu_input(name, array)
        for name, array in outputs.items():
            io.bind_output(name, _HOST, 0, array.dtype, array.shape, array.ctypes.data)
        return io

    def _try(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except Exception as error:
            raise EngineError(
                f"engine {self.role} failed: {_first_line(error)}.", "Run `pvchat-edge doctor`."
            ) from error


def choose_provider(device: str) -> str:
    """The provider for `cpu`, `cuda` or `auto` (CUDA where it is installed, else the CPU).

    Raises:
        EngineError: ONNX Runtime is missing, or has no such provider.
    """
    available = _library().get_available_providers()
    if device == "auto":
        return CUDA if CUDA in available else CPU
    wanted = {"cpu": CPU, "cuda": CUDA}[device]
    if wanted not in available:
        raise EngineError(
            f"ONNX Runtime here has no {wanted}; it has {', '.join(available)}.",
            "Install `pvchat-edge[gpu]`, or choose device cpu.",
        )
    return wanted


def library_version() -> str:
    """ONNX Runtime's version: another one may compute other last bits.

    Raises:
        EngineError: ONNX Runtime is missing.
    """
    return str(_library().__version__)


def _library() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise EngineError(
            "no inference engine is installed (onnxruntime is missing).",
            "Install `pvchat-edge[cpu]` or `pvchat-edge[gpu]`, never both.",
        ) from error


def _mapped(role: str, file: BinaryIO) -> mmap.mmap:
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise BundleError(f"engine {role} cannot be read: {error}.", "Install the bundle again.") from error


def _name_of(file: BinaryIO) -> str | bytes:
    """A path that means this very file, whatever has its name by now; its bytes where there is none."""
    name = Path(f"/proc/self/fd/{file.fileno()}")
    return str(name) if name.exists() else file.read()


def _open(role: str, model: bytes | str, provider: str, threads: int, *, arena: bool, spin: bool) -> Any:
    library = _library()
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.use_deterministic_compute = True
    options.enable_cpu_mem_arena = arena
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    if provider not in library.get_available_providers():
        raise EngineError(
            f"engine {role} was asked to run on {provider}, which is not installed.",
            "Install the matching onnxruntime, or choose device cpu.",
        )
    try:
        session = library.InferenceSession(model, sess_options=options, providers=[provider])
    except Exception as error:
        raise EngineError(
            f"engine {role} does not load: {_first_line(error)}.", "Install the bundle again."
        ) from error
    used = session.get_providers()[0]
    if used != provider:
        raise EngineError(
            f"engine {role} was asked to run on {provider} but came up on {used}.",
            "Check the GPU's driver and libraries, or choose device cpu.",
        )
    session._model_bytes = None  # kept to load it again elsewhere, which is never done here
    return session


def _match(role: str, what: str, specs: tuple[TensorSpec, ...], found: Any) -> None:
    """Compare the manifest with the file: names, dtypes, and every size that both know."""
    nodes = {node.name: node for node in found}
    wrong = sorted({spec.name for spec in specs} ^ set(nodes))
    if wrong:
        raise BundleError(
            f"engine {role}: manifest and file disagree about the {what} {', '.join(wrong)}.",
            "Export the bundle again.",
        )
    for spec in specs:
        node = nodes[spec.name]
        dtype, shape = _DTYPES.get(node.type, node.type), list(node.shape)
        same = dtype == spec.dtype and len(shape) == len(spec.shape)
        for ours, theirs in zip(spec.shape, shape, strict=False):
            same = same and (ours == theirs or not (isinstance(ours, int) and isinstance(theirs, int)))
        if not same:
            raise BundleError(
                f"engine {role}: {spec.name} is {dtype} {shape} in the file, "
                f"{spec.dtype} {list(spec.shape)} in the manifest.",
                "Export the bundle again.",
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
