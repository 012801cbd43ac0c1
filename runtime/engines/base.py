"""What an engine is, and the checks that every engine does. Knows no inference library."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from runtime.contract.bundle import EngineSpec, TensorSpec
from runtime.contract.errors import EngineError

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], dict[str, Array]]


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


@runtime_checkable
class BindingEngine(Protocol):
    """An engine that can read and write at fixed places in memory."""

    def bind(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Run:
        """What runs on the other inputs and gives the other outputs, as `Engine.run` does.

        Args:
            inputs, outputs: arrays that are read, and written, where they are; one may be both. Nobody looks
                whether what is written is finite.
        """
        ...


def check_inputs(
    role: str, specs: EngineSpec, inputs: Mapping[str, Array], others: Collection[str] = ()
) -> None:
    """Refuse inputs that are missing, unknown, of another dtype or of another shape; nothing is cast.

    Letters in a shape stand for any size, but for the same size in all inputs. The `others` come from
    elsewhere.
    """
    wanted = {spec.name for spec in specs.inputs if spec.name not in others}
    wrong = sorted(wanted ^ set(inputs))
    if wrong:
        raise EngineError(f"engine {role} has missing or unknown inputs: {', '.join(wrong)}.")
    sizes: dict[str, int] = {}
    for spec in specs.inputs:
        if spec.name in wanted:
            _check(role, spec, inputs[spec.name], sizes)


def check_outputs(
    role: str, specs: EngineSpec, outputs: Mapping[str, Array], bound: Collection[str] = ()
) -> None:
    """Refuse outputs that are missing or not finite; those that are `bound` are not looked at."""
    for spec in specs.outputs:
        if spec.name in bound:
            continue
        array = outputs.get(spec.name)
        if array is None:
            raise EngineError(f"engine {role} gave no output {spec.name}.", "Install the bundle again.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise EngineError(
                f"engine {role}: output {spec.name} holds values that are not finite.",
                "Run `pvchat-edge doctor`; install the bundle again if it persists.",
            )


def _check(role: str, spec: TensorSpec, array: Array, sizes: dict[str, int]) -> None:
    fits = array.dtype == np.dtype(spec.dtype) and array.ndim == len(spec.shape)
    for wanted, size in zip(spec.shape, array.shape, strict=False):
        fits = fits and size == (wanted if isinstance(wanted, int) else sizes.setdefault(wanted, size))
    if not fits:
        raise EngineError(
            f"engine {role}: input {spec.name} is {array.dtype} {array.shape}, "
            f"expected {spec.dtype} {spec.shape}."
        )
