"""Adapter files: the same out as in, and nothing damaged gets through."""

from __future__ import annotations

import json
import os
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.adapters import adapter_from_bytes, adapter_to_bytes, read_adapter, write_adapter
from runtime.contract.adapter import Adapter, check_adapter
from runtime.contract.errors import AdapterError, StoreError

BASE = "b" * 64
SHAPES = {"Q": 4, "D": 6, "Dl": 5, "E": 8, "F": 7, "K": 2, "R": 3}


def adapter(seed: int = 0, release: int = 1, views: int = 3) -> Adapter:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    arrays = {
        "queries": draw(4, 6),
        "soft_tokens": draw(4, 5),
        "token": draw(5),
        "delta_a": draw(2, 6, 3),
        "delta_b": draw(2, 3, 6),
        "views.head": draw(views, 8),
    }
    arrays["views.head"] /= np.linalg.norm(arrays["views.head"], axis=1, keepdims=True)
    return Adapter("s" + "1" * 32, BASE, "instant", release, arrays)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 10**9), st.integers(1, 64))
def test_a_file_holds_exactly_the_adapter_and_equal_adapters_give_equal_bytes(
    seed: int, release: int, views: int
) -> None:
    one = adapter(seed, release, views)
    raw = adapter_to_bytes(one)
    back = adapter_from_bytes(raw)
    assert (back.subject_id, back.base, back.kind, back.release) == (one.subject_id, BASE, "instant", release)
    assert {name: array.tobytes() for name, array in back.arrays.items()} == {
        name: array.tobytes() for name, array in one.arrays.items()
    }
    assert adapter_to_bytes(back) == raw


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_is_an_adapter_error_or_still_finite_and_of_the_right_shape(
    data: st.DataObject,
) -> None:
    raw = bytearray(adapter_to_bytes(adapter()))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, min(len(raw) - 1, 900)))] = data.draw(st.integers(0, 255))
    damaged = bytes(raw[: data.draw(st.integers(0, len(raw)))]) if data.draw(st.booleans()) else bytes(raw)
    try:
        back = check_adapter(adapter_from_bytes(damaged), base=BASE, shapes=SHAPES)
    except AdapterError:
        return
    assert all(np.isfinite(array).all() for array in back.arrays.values())


def with_about(**changes: object) -> bytes:
    about = {
        "schema": 1,
        "subject_id": "s" + "1" * 32,
        "base": BASE,
        "kind": "instant",
        "release": 1,
        **changes,
    }
    return bytes(safetensors.numpy.save(adapter().arrays, metadata={"pvchat": json.dumps(about)}))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "0 bytes"),
        (b"\xff" * 16, "header claims"),
        (struct.pack("<Q", 1 << 40) + b"{}", "header claims"),
        (safetensors.numpy.save(adapter().arrays), "no pvchat metadata"),
        (with_about(schema=2), "schema 2"),
        (with_about(schema=True), "schema number"),
        (with_about(kind="psychic"), "kind"),
        (with_about(release="1"), "release number"),
        (with_about(base=None), "base"),
    ],
)
def test_a_file_that_does_not_say_what_it_must_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        adapter_from_bytes(raw)


def test_a_huge_header_is_refused_before_it_is_parsed() -> None:
    body = b"{" + b" " * (70 << 10) + b"}"
    with pytest.raises(AdapterError, match="header claims"):
        adapter_from_bytes(struct.pack("<Q", len(body)) + body)


def test_reading_checks_base_and_finite_values(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_adapter(path, adapter())
    back, raw = read_adapter(path, base=BASE, shapes=SHAPES)
    assert raw == path.read_bytes() and back.release == 1
    with pytest.raises(AdapterError, match="was made for base"):
        read_adapter(path, base="c" * 64, shapes=SHAPES)
    broken = adapter()
    broken.arrays["token"][0] = np.nan
    write_adapter(path, broken)
    with pytest.raises(AdapterError, match="not finite"):
        read_adapter(path, base=BASE, shapes=SHAPES)
    long = adapter()
    long.arrays["views.head"][0] *= 100
    write_adapter(path, long)
    with pytest.raises(AdapterError, match=r"views\.head are not of unit length"):
        read_adapter(path, base=BASE, shapes=SHAPES)
    with pytest.raises(AdapterError, match="cannot read"):
        read_adapter(tmp_path / "none", base=BASE, shapes=SHAPES)


def test_writing_leaves_one_private_file_and_no_scraps(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_adapter(path, adapter(1))
    write_adapter(path, adapter(2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == adapter_to_bytes(adapter(2))


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    write_adapter(path, adapter(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_adapter(path, adapter(2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]
    assert path.read_bytes() == adapter_to_bytes(adapter(1))
    with pytest.raises(StoreError, match="cannot write"):
        write_adapter(tmp_path / "missing" / "a", adapter())
