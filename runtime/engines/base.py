"""What an engine is, and the checks that every engine does. Knows no inference library."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.contract.errors import EngineError

Array = NDArray[Any]


class Engine(Protocol):
    """One loaded network."""

    @property
    def specs(self) -> EngineSpec:
        """What goes in and out, as the manifest says."""
        ...

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            EngineError: an input that does not fit, a failed run, an output with a value that is not finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor in the memory of the library that made it. Only goes back into the engine that it came from.

    Attributes:
        value: the library's own. dtype, shape: as of an array.
    """

    value: Any
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """How many sizes it has."""
        return len(self.shape)


@runtime_checkable
class HoldingEngine(Protocol):
    """An engine that can keep tensors from one run to the next without handing them over as arrays."""

    def hold(self, array: Array) -> Held:
        """An array, to be run on; it must not be changed afterwards."""
        ...

    def run_holding(
        self, inputs: Mapping[str, Array], held: Mapping[str, Held], hold: Collection[str]
    ) -> tuple[dict[str, Array], dict[str, Held]]:
        """As `Engine.run` on both kinds of inputs; the outputs `hold` are held, and may not be finite."""
        ...


def check_inputs(role: str, specs: EngineSpec, inputs: Mapping[str, Array | Held]) -> None:
    """Refuse inputs that are missing, unknown, of another dtype or of another shape; nothing is cast.

    Letters in a shape stand for any size, but for the same size in all inputs.
    """
    wanted = {spec.name for spec in specs.inputs}
    wrong = sorted(wanted ^ set(inputs))
    if wrong:
        raise EngineError(f"engine {role} has missing or unknown inputs: {', '.join(wrong)}.")
    sizes: dict[str, int] = {}
    for spec in specs.inputs:
        _check(role, spec, inputs[spec.name], sizes)


def check_outputs(
    role: str, specs: EngineSpec, outputs: Mapping[str, Array], held: Collection[str] = ()
) -> None:
    """Refuse outputs that are missing or not finite; those that are `held` are not looked at."""
    for spec in specs.outputs:
        if spec.name in held:
            continue
        array = outputs.get(spec.name)
        if array is None:
            raise EngineError(f"engine {role} gave no output {spec.name}.", "Install the bundle again.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise EngineError(
                f"engine {role}: output {spec.name} holds values that are not finite.",
                "Run `pvchat-edge doctor`; install the bundle again if it persists.",
            )


def _check(role: str, spec: TensorSpec, array: Array | Held, sizes: dict[str, int]) -> None:
    fits = array.dtype == np.dtype(spec.dtype) and array.ndim == len(spec.shape)
    for wanted, size in zip(spec.shape, array.shape, strict=False):
        fits = fits and size == (wanted if isinstance(wanted, int) else sizes.setdefault(wanted, size))
    if not fits:
        raise EngineError(
            f"engine {role}: input {spec.name} is {array.dtype} {array.shape}, "
            f"expected {spec.dtype} {spec.shape}."
        )
