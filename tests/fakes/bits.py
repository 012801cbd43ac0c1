"""Whether two results are the same to the last bit, whatever they are made of."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


def bits(value: Any) -> Any:
    """A value that is equal only to that of a result with the same bits; NaN equals NaN."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if dataclasses.is_dataclass(value):
        return tuple(bits(getattr(value, one.name)) for one in dataclasses.fields(value))
    if isinstance(value, list | tuple):
        return tuple(bits(one) for one in value)
    if isinstance(value, float):
        return value.hex()
    return value
