"""Claims about the manifest: what is written is what is read, and nothing damaged or newer gets in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.contract.bundle import (
    SCHEMA,
    EngineSpec,
    FileEntry,
    Manifest,
    TensorSpec,
    manifest_from_json,
    manifest_to_json,
)
from runtime.contract.calibration import Calibration, SourceCalibration
from runtime.contract.errors import BundleError
from runtime.contract.pixels import PixelSpec

words = st.text(max_size=6)
numbers = st.floats(-1e6, 1e6)
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=3,
)
tables = st.dictionaries(words, plain, max_size=2)
tensors = st.builds(
    TensorSpec,
    words,
    st.sampled_from(["float32", "int64"]),
    st.lists(words | st.integers(1, 999), max_size=3).map(tuple),
)
specs = st.builds(
    EngineSpec, words, st.lists(tensors, max_size=2).map(tuple), st.lists(tensors, max_size=2).map(tuple)
)
thirds = st.tuples(numbers, numbers, numbers)
unknown_fields = st.dictionaries(
    words.filter(lambda word: word not in Manifest.__dataclass_fields__), plain, max_size=4
)
manifests = st.builds(
    Manifest,
    kind=st.sampled_from(["base", "household"]),
    base=words,
    files=st.lists(st.builds(FileEntry, words, st.integers(0, 10**12), words, words), max_size=2).map(tuple),
    engines=st.dictionaries(words, specs, max_size=2),
    shapes=st.dictionaries(words, st.integers(1, 9999), max_size=4),
    pixels=st.builds(PixelSpec, window_fps=numbers, mean=thirds, std=thirds),
    calibration=st.builds(
        Calibration,
        sources=st.dictionaries(
            words, st.builds(SourceCalibration, numbers, numbers, numbers, words), max_size=2
        ),
        prior=st.floats(0.01, 0.99),
        accept=st.floats(0.6, 1.0),
        reject=st.floats(0.0, 0.5),
        min_quality=numbers,
        domain_limit=numbers | st.just(float("inf")),
    ),
    prompt=tables,
    evaluation=tables,
    budgets=tables,
    made_by=tables,
    extra=unknown_fields,
)


def small() -> Manifest:
    tensor = TensorSpec("pixels", "float32", ("T", 3))
    return Manifest(
        kind="base",
        base="b" * 64,
        files=(FileEntry("a.onnx", 3, "0" * 64, "vision"),),
        engines={"vision": EngineSpec("a.onnx", (tensor,), (tensor,))},
        shapes={"P": 48},
        pixels=PixelSpec(),
        calibration=Calibration({"bridge": SourceCalibration(1.0, 0.0)}),
    )


@given(manifests)
@settings(max_examples=40)
def test_a_manifest_written_and_read_is_the_same(manifest: Manifest) -> None:
    raw = manifest_to_json(manifest)
    assert manifest_from_json(raw) == manifest
    assert manifest_to_json(manifest_from_json(raw)) == raw


@given(unknown_fields)
def test_fields_of_a_later_version_are_kept_when_the_manifest_is_written_again(extra: dict[str, Any]) -> None:
    data = {**json.loads(manifest_to_json(small())), **extra}
    again = json.loads(manifest_to_json(manifest_from_json(json.dumps(data).encode())))
    assert again == data


def test_the_same_manifest_has_the_same_bytes_whatever_the_order_of_its_keys() -> None:
    data = json.loads(manifest_to_json(small()))
    turned = json.dumps(dict(reversed(data.items()))).encode()
    assert manifest_to_json(manifest_from_json(turned)) == manifest_to_json(small())


def test_a_newer_schema_is_refused_before_anything_else_is_looked_at() -> None:
    with pytest.raises(BundleError, match=rf"schema {SCHEMA + 1}.*Update pvchat-edge"):
        manifest_from_json(json.dumps({"schema": SCHEMA + 1, "files": "of another kind"}).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"schema": "1"}', b"null"])
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        manifest_from_json(raw)


@pytest.mark.parametrize("field", ["kind", "base", "files", "engines", "shapes", "pixels", "calibration"])
def test_a_missing_field_is_named(field: str) -> None:
    data = json.loads(manifest_to_json(small()))
    del data[field]
    with pytest.raises(BundleError, match=field):
        manifest_from_json(json.dumps(data).encode())


def test_an_infinite_domain_limit_travels_as_null() -> None:
    assert json.loads(manifest_to_json(small()))["calibration"]["domain_limit"] is None
    assert manifest_from_json(manifest_to_json(small())).calibration.domain_limit == float("inf")


def _leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(leaf for key, value in inner for leaf in _leaves(value, (*path, key)))][
        0 if path else 1 :
    ]


@given(st.data(), plain)
def test_a_manifest_with_any_one_part_replaced_is_read_or_refused_and_nothing_else(
    data: st.DataObject, value: Any
) -> None:
    tree = json.loads(manifest_to_json(small()))
    path = data.draw(st.sampled_from(_leaves(tree)))
    at = tree
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    try:
        assert isinstance(manifest_from_json(json.dumps(tree).encode()), Manifest)
    except BundleError as error:
        assert "manifest.json" in error.message or "schema" in error.message
