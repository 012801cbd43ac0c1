"""Claims about the bundle on disk: one changed, missing, extra or foreign file and it is refused."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.bundle import (
    MANIFEST,
    Bundle,
    FileEntry,
    Manifest,
    bundle_files,
    manifest_to_json,
    sha256_file,
)
from runtime.contract.calibration import Calibration
from runtime.contract.errors import BundleError
from runtime.contract.pixels import PixelSpec

FILES = {
    "vision/vision.onnx": b"v" * 3000,
    "vision/domain.safetensors": b"d",
    "notes.json": b"{}",
    "empty": b"",
}


def entry(name: str, data: bytes) -> FileEntry:
    role = "vision" if name.endswith(".onnx") else "other"
    return FileEntry(name, len(data), hashlib.sha256(data).hexdigest(), role)


def write(root: Path, entries: tuple[FileEntry, ...] | None = None) -> Bundle:
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    entries = entries or tuple(entry(name, data) for name, data in FILES.items())
    manifest = Manifest("base", "b" * 64, entries, {}, {}, PixelSpec(), Calibration())
    (root / MANIFEST).write_bytes(manifest_to_json(manifest))
    return Bundle.open(root)


def refused(bundle: Bundle) -> str:
    with pytest.raises(BundleError) as caught:
        bundle.verify()
    return str(caught.value)


def test_a_whole_bundle_verifies_and_its_signature_belongs_to_it(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    (tmp_path / f"{MANIFEST}.sig").write_bytes(b"signature")
    bundle.verify()


def test_a_bundle_is_named_by_the_hash_of_its_manifest(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    assert bundle.bundle_id == hashlib.sha256((tmp_path / MANIFEST).read_bytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", [name for name, data in FILES.items() if data])
@pytest.mark.parametrize("place", [0, -1])
def test_a_bundle_with_one_flipped_byte_is_refused(tmp_path: Path, name: str, place: int) -> None:
    bundle = write(tmp_path)
    data = bytearray(FILES[name])
    data[place] ^= 1
    (tmp_path / name).write_bytes(data)
    assert f"{name} has changed" in refused(bundle)


def test_a_file_cut_short_or_made_longer_is_refused(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    (tmp_path / "notes.json").write_bytes(b"{")
    (tmp_path / "empty").write_bytes(b"x")
    told = refused(bundle)
    assert "notes.json has changed" in told and "empty has changed" in told


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    (tmp_path / "empty").unlink()
    assert "empty is missing" in refused(bundle)


@pytest.mark.parametrize("name", ["extra.bin", "vision/extra.bin", "vision/manifest.json", ".hidden"])
def test_an_extra_file_is_refused(tmp_path: Path, name: str) -> None:
    bundle = write(tmp_path)
    (tmp_path / name).write_bytes(b"")
    assert f"{name} is not in the manifest" in refused(bundle)


def test_a_symlink_in_place_of_a_file_is_refused_even_to_the_right_bytes(tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle")
    elsewhere = tmp_path / "same"
    elsewhere.write_bytes(FILES["notes.json"])
    (bundle.root / "notes.json").unlink()
    (bundle.root / "notes.json").symlink_to(elsewhere)
    assert "notes.json is a symlink" in refused(bundle)


def test_a_symlink_in_place_of_a_folder_is_refused_even_to_the_right_files(tmp_path: Path) -> None:
    bundle = write(tmp_path / "bundle")
    (bundle.root / "vision").rename(tmp_path / "vision")
    (bundle.root / "vision").symlink_to(tmp_path / "vision")
    assert "vision is not in the manifest" in refused(bundle)


@pytest.mark.parametrize("path", ["/etc/passwd", "../other", "vision/../../other", "a\\b", "..", ""])
def test_a_path_that_leaves_the_bundle_is_refused(tmp_path: Path, path: str) -> None:
    bundle = write(tmp_path)
    with pytest.raises(BundleError, match="leaves it"):
        bundle.path(path)
    assert "leaves it" in refused(write(tmp_path, (entry(path, b""),)))


@given(st.text(max_size=20))
def test_no_path_at_all_leads_out_of_the_bundle(relative: str) -> None:
    manifest = Manifest("base", "b", (), {}, {}, PixelSpec(), Calibration())
    root = Path("/bundle")
    try:
        path = Bundle(root, manifest, "0" * 16).path(relative)
    except BundleError:
        return
    assert path.is_relative_to(root) and path != root and ".." not in path.parts


def test_files_are_found_by_role_in_manifest_order(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    assert bundle.role("vision") == [tmp_path / "vision/vision.onnx"]
    assert [path.name for path in bundle.role("other")] == ["domain.safetensors", "notes.json", "empty"]
    assert bundle.role("language") == []


def test_all_files_but_manifest_and_signature_are_listed(tmp_path: Path) -> None:
    write(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in bundle_files(tmp_path)] == sorted(FILES)


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_files_are_hashed_whole_whatever_their_size(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "f").write_bytes(data)
    assert sha256_file(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def test_no_folder_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle at .*none"):
        Bundle.open(tmp_path / "none")


def test_a_bundle_rewritten_with_other_scores_is_another_bundle(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    changed = dataclasses.replace(bundle.manifest, evaluation={"score": 1.0})
    (tmp_path / MANIFEST).write_bytes(manifest_to_json(changed))
    assert Bundle.open(tmp_path).bundle_id != bundle.bundle_id


def test_an_opened_file_is_the_manifests_and_whole(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    for name, data in FILES.items():
        with bundle.opened(name) as stream:
            assert stream.read() == bundle.read(name) == data


def test_a_file_that_is_changed_missing_or_not_in_the_manifest_is_not_opened(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    (tmp_path / "notes.json").write_bytes(b"[]")
    (tmp_path / "empty").unlink()
    for name, match in (
        ("notes.json", "not the file"),
        ("empty", "cannot read"),
        ("nobody", "lists no file"),
    ):
        with pytest.raises(BundleError, match=match), bundle.opened(name):
            raise AssertionError("it was opened")
        with pytest.raises(BundleError, match=match):
            bundle.read(name)


def test_a_file_that_is_written_to_while_it_is_open_is_told(tmp_path: Path) -> None:
    bundle = write(tmp_path)
    with pytest.raises(BundleError, match="not the file"), bundle.opened("vision/vision.onnx") as stream:
        assert stream.read(1) == b"v"
        with (tmp_path / "vision" / "vision.onnx").open("r+b") as other:
            other.write(b"w")
