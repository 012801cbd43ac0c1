"""Claims about adapters as inputs of the exported bridge: nobody changes another, and nothing lingers."""

from __future__ import annotations

import numpy as np
import pytest

from export.parity import load_engine
from export.samples import sample_inputs
from export.specs import torch_specs
from export.wrappers import Floats
from runtime.engines.base import Array
from runtime.engines.ort import OrtEngine
from tests.export.conftest import Exported

pytestmark = pytest.mark.timeout(900)  # whoever comes first waits for the export of the session

PERSONAL = ("queries", "templates", "subject_valid", "delta_a", "delta_b")


@pytest.fixture(scope="module")
def bridge(exported: Exported) -> OrtEngine:
    return load_engine("bridge", exported.engine("bridge"), torch_specs(exported.sizes)["bridge"])


def window(exported: Exported, *, people: int) -> dict[str, Floats]:
    """One window with `people` subjects in two slots, the same ones each time."""
    inputs = sample_inputs(exported.sizes, "bridge", size=2, seed=9)
    for name in PERSONAL:
        inputs[name] = inputs[name].copy()
        inputs[name][people:] = 0
    return inputs


def same(one: Array, other: Array) -> bool:
    """Bit for bit."""
    return one.tobytes() == other.tobytes()


def test_an_empty_slot_changes_no_bit_of_the_base_or_of_the_other_subject(
    exported: Exported, bridge: OrtEngine
) -> None:
    nobody, one, two = (bridge.run(window(exported, people=people)) for people in (0, 1, 2))
    assert same(nobody["base_rows"], one["base_rows"]) and same(one["base_rows"], two["base_rows"])
    for name in ("subject_rows", "presence", "match"):
        assert same(one[name][0], two[name][0])
        assert same(one[name][1], nobody[name][1])
        assert not same(one[name][1], two[name][1])


def test_a_delta_of_zeros_is_the_base_bit_for_bit_and_a_delta_is_not_ignored(
    exported: Exported, bridge: OrtEngine
) -> None:
    zero, half_zero, full = (window(exported, people=2) for _ in range(3))
    zero["delta_a"], zero["delta_b"] = np.zeros_like(zero["delta_a"]), np.zeros_like(zero["delta_b"])
    half_zero["delta_b"] = np.zeros_like(half_zero["delta_b"])
    base, still, moved = (bridge.run(inputs)["subject_rows"] for inputs in (zero, half_zero, full))
    assert same(base, still)
    assert float(np.abs(base - moved).max()) > 1e-3


def test_after_another_person_the_first_ones_outputs_come_back_bit_for_bit(
    exported: Exported, bridge: OrtEngine
) -> None:
    anna = window(exported, people=2)
    ben = {name: array[::-1].copy() if name in PERSONAL else array for name, array in anna.items()}
    first, between, again = (bridge.run(inputs) for inputs in (anna, ben, anna))
    assert all(same(first[name], again[name]) for name in first)
    assert not same(first["presence"], between["presence"])
