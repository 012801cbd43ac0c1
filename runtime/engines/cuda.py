"""Memory and streams of an NVIDIA GPU, through the CUDA runtime library itself. Knows no engine.

The library is loaded when the first device is opened; without one there is a clear error. No Python package
of CUDA is needed: JetPack brings the library, elsewhere the wheel `nvidia-cuda-runtime` does.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runtime.contract.errors import EngineError
from runtime.engines.base import Array

_NAMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")
_TO_DEVICE, _TO_HOST = 1, 2
_MAJOR, _MINOR = 75, 76  # cudaDevAttrComputeCapabilityMajor and …Minor


class Cuda:
    """The current device: addresses are plain numbers, sizes are in bytes."""

    def __init__(self, library: Any) -> None:
        """`library`: the CUDA runtime as `ctypes` loads it."""
        self._library = library

    def version(self) -> str:
        """Of the CUDA runtime, as `12.6`."""
        found = ctypes.c_int()
        self._call("cudaRuntimeGetVersion", ctypes.byref(found))
        return f"{found.value // 1000}.{found.value % 1000 // 10}"

    def compute_capability(self) -> str:
        """Of the GPU, as `8.7`."""
        device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        self._call("cudaGetDevice", ctypes.byref(device))
        self._call("cudaDeviceGetAttribute", ctypes.byref(major), _MAJOR, device)
        self._call("cudaDeviceGetAttribute", ctypes.byref(minor), _MINOR, device)
        return f"{major.value}.{minor.value}"

    def allocate(self, size_bytes: int) -> int:
        """The address of new memory on the device."""
        address = ctypes.c_void_p()
        self._call("cudaMalloc", ctypes.byref(address), ctypes.c_size_t(size_bytes))
        return int(address.value or 0)

    def free(self, address: int) -> None:
        """Give memory back."""
        self._call("cudaFree", ctypes.c_void_p(address))

    def stream(self) -> int:
        """A new stream; copies and runs on it keep their order."""
        handle = ctypes.c_void_p()
        self._call("cudaStreamCreate", ctypes.byref(handle))
        return int(handle.value or 0)

    def wait(self, stream: int) -> None:
        """Until all that was given to the stream is done."""
        self._call("cudaStreamSynchronize", ctypes.c_void_p(stream))

    def to_device(self, address: int, array: Array, stream: int) -> None:
        """Copy a contiguous array; it must stay as it is until `wait`."""
        self._copy(address, array.ctypes.data, array.nbytes, _TO_DEVICE, stream)

    def to_host(self, array: Array, address: int, stream: int) -> None:
        """Fill a contiguous array; its values are there after `wait`."""
        self._copy(array.ctypes.data, address, array.nbytes, _TO_HOST, stream)

    def _copy(self, to: int, source: int, size_bytes: int, kind: int, stream: int) -> None:
        where = ctypes.c_void_p(to), ctypes.c_void_p(source)
        self._call("cudaMemcpyAsync", *where, ctypes.c_size_t(size_bytes), kind, ctypes.c_void_p(stream))

    def _call(self, name: str, *arguments: Any) -> None:
        code = int(getattr(self._library, name)(*arguments))
        if code:
            raise EngineError(f"{name} failed with CUDA error {code}.", "Check the GPU's driver and memory.")


class DeviceBuffer:
    """Memory on the device that grows when more is asked for."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._address, self._size = 0, 0

    def address(self, size_bytes: int) -> int:
        """Where at least `size_bytes` lie; what was in it before is lost when it grows."""
        if size_bytes > self._size or not self._address:
            self.release()
            self._address, self._size = self._cuda.allocate(max(size_bytes, 1)), size_bytes
        return self._address

    def release(self) -> None:
        """Give the memory back."""
        if self._address:
            self._cuda.free(self._address)
        self._address, self._size = 0, 0


def open_cuda() -> Cuda:
    """The CUDA runtime of this machine.

    Raises:
        EngineError: it is not installed.
    """
    for place in _places():
        try:
            return Cuda(ctypes.CDLL(place))
        except OSError:
            continue
    raise EngineError(
        "the CUDA runtime library (libcudart) is not installed.",
        "Use a box with an NVIDIA GPU, or choose device cpu.",
    )


def host_array(shape: tuple[int, ...], dtype: str) -> Array:
    """An empty contiguous array that a copy can fill."""
    return np.empty(shape, dtype=np.dtype(dtype))


def _places() -> Iterator[str]:
    yield from _NAMES
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations or () if spec is not None else ():
        yield from (str(path) for path in sorted(Path(root).glob("*/lib/libcudart.so.*"), reverse=True))
    yield from (f"/usr/local/cuda/lib64/{name}" for name in _NAMES)
