"""Claims about adapters: one that does not fit, or is unsound, is refused before anything uses it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime.contract.adapter import MAX_VIEWS, Adapter, check_adapter
from runtime.contract.errors import AdapterError

BASE, ANN = "b" * 64, "s" + "a" * 32
SHAPES = {"Q": 2, "D": 6, "Dl": 5, "E": 4, "F": 3, "K": 2, "R": 1}
NAMES = ("queries", "soft_tokens", "token", "delta_a", "delta_b", "views.head", "views.face")


def arrays() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    shapes = [(2, 6), (2, 5), (5,), (2, 6, 1), (2, 1, 6), (7, 4), (1, 3)]
    return {
        name: rng.standard_normal(shape).astype(np.float32) for name, shape in zip(NAMES, shapes, strict=True)
    }


def adapter(**changes: Any) -> Adapter:
    return dataclasses.replace(Adapter(ANN, BASE, "instant", 1, arrays()), **changes)


def refused(one: Adapter) -> str:
    with pytest.raises(AdapterError) as caught:
        check_adapter(one, base=BASE, shapes=SHAPES)
    return str(caught.value)


def test_a_sound_adapter_comes_back_as_it_is() -> None:
    one = adapter()
    assert check_adapter(one, base=BASE, shapes=SHAPES) is one


@pytest.mark.parametrize("absent", ["views.head", "views.face"])
def test_views_of_one_source_are_enough(absent: str) -> None:
    few = arrays()
    del few[absent]
    check_adapter(adapter(arrays=few), base=BASE, shapes=SHAPES)


def test_soft_tokens_are_as_many_as_queries_unless_the_manifest_says_otherwise() -> None:
    few = {**arrays(), "soft_tokens": np.zeros((3, 5), dtype=np.float32)}
    assert "expected float32 (2, 5)" in refused(adapter(arrays=few))
    check_adapter(adapter(arrays=few), base=BASE, shapes={**SHAPES, "W": 3})


def test_an_adapter_without_any_view_is_refused() -> None:
    none = arrays()
    none["views.head"] = none["views.head"][:0]
    del none["views.face"]
    assert "no view of a head or a face" in refused(adapter(arrays=none))


def test_an_adapter_for_another_base_is_refused_and_both_are_named() -> None:
    told = refused(adapter(base="c" * 64))
    assert "c" * 12 in told and "b" * 12 in told and "Enrol this person again" in told


@pytest.mark.parametrize("release", [0, -1])
def test_a_release_below_one_is_refused(release: int) -> None:
    assert "releases count from 1" in refused(adapter(release=release))


@pytest.mark.parametrize("subject_id", ["", "Grandma", "s" + "a" * 31, "../" + ANN, ANN + "\n"])
def test_an_id_that_is_no_subject_id_is_refused(subject_id: str) -> None:
    assert "no subject id" in refused(adapter(subject_id=subject_id))


@pytest.mark.parametrize("name", NAMES[:5])
def test_a_missing_array_is_named(name: str) -> None:
    fewer = arrays()
    del fewer[name]
    assert name in refused(adapter(arrays=fewer))


def test_an_unknown_array_is_named() -> None:
    assert "secret" in refused(adapter(arrays={**arrays(), "secret": np.zeros(1, dtype=np.float32)}))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_refused_wherever_it_stands(name: str, value: float) -> None:
    bad = arrays()
    bad[name].flat[-1] = value
    assert f"{name} holds values that are not finite" in refused(adapter(arrays=bad))


@pytest.mark.parametrize("name", NAMES)
def test_another_dtype_is_refused(name: str) -> None:
    wide: dict[str, Any] = arrays()
    wide[name] = wide[name].astype(np.float64)
    assert f"{name} is float64" in refused(adapter(arrays=wide))


@given(st.sampled_from(NAMES), st.integers(0, 2), st.integers(1, 3))
def test_another_shape_is_refused(name: str, axis: int, more: int) -> None:
    shape = list(arrays()[name].shape)
    axis = min(axis, len(shape) - 1)
    if name.startswith("views."):
        axis = 1
    shape[axis] += more
    wrong = {**arrays(), name: np.zeros(shape, dtype=np.float32)}
    assert f"{name} is float32 {tuple(shape)}" in refused(adapter(arrays=wrong))


def test_the_number_of_views_is_free_up_to_the_limit() -> None:
    for count in (1, MAX_VIEWS):
        views = {**arrays(), "views.head": np.ones((count, 4), dtype=np.float32)}
        check_adapter(adapter(arrays=views), base=BASE, shapes=SHAPES)
    many = {**arrays(), "views.head": np.ones((MAX_VIEWS + 1, 4), dtype=np.float32)}
    assert "views.head" in refused(adapter(arrays=many))


def test_the_template_is_the_unit_mean_of_the_views() -> None:
    views = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], dtype=np.float32)
    one = adapter(arrays={**arrays(), "views.head": views})
    template = one.template("head")
    assert template is not None and template.dtype == np.float32
    np.testing.assert_allclose(template, [0.5**0.5, 0.5**0.5, 0, 0], atol=1e-6)


def test_without_views_of_a_source_there_is_no_template() -> None:
    few = arrays()
    del few["views.face"]
    one = adapter(arrays=few)
    assert one.template("face") is None and len(one.views("face")) == 0
