"""The bundle: the directory that goes from workshop to home. Knows no engines and no network.

Paths are relative with forward slashes; symlinks are refused; JSON and safetensors, never pickle. A newer
schema is refused, unknown fields are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from runtime.contract.calibration import Calibration, SourceCalibration
from runtime.contract.errors import BundleError
from runtime.contract.pixels import PixelSpec

SCHEMA = 1
MANIFEST = "manifest.json"
FP32, HALF = "fp32", "fp16"
INT4, W4A8 = "int4", "w4a8"
"""Weights of 4 bits; products with float32 activations, or with activations that are rounded to 8 bits."""
ENGINE_ROLES = ("vision", "head", "bridge", "enrol", "language")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: relative path, size, sha256 in hex, and what it is for."""

    path: str
    size_bytes: int
    sha256: str
    role: str


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An engine's input or output: dtype as numpy names it, shape letters or sizes."""

    name: str
    dtype: str
    shape: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """One engine: its file, what goes in and out, and the precision that it computes in."""

    path: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    precision: str = FP32


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a bundle.

    Attributes:
        kind: `base` (nobody in it) or `household` (adapters inside).
        base: fingerprint of the training checkpoint.
        files: every file but the manifest itself.
        engines: by role; `language` names a folder's model file.
        shapes: sizes by letter (P, Dv, E, F, G, M, Q, D, Dl, K, R, S).
        pixels, calibration: see their types.
        evaluation, budgets, made_by: what it scored, what it may cost, who made it from what.
        build: what is still to be built on the box, by builder; empty: nothing.
        extra: fields this version does not know, kept as they are.
    """

    kind: str
    base: str
    files: tuple[FileEntry, ...]
    engines: dict[str, EngineSpec]
    shapes: dict[str, int]
    pixels: PixelSpec
    calibration: Calibration
    prompt: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    budgets: dict[str, Any] = field(default_factory=dict)
    made_by: dict[str, Any] = field(default_factory=dict)
    build: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA
    extra: dict[str, Any] = field(default_factory=dict)


def manifest_to_json(manifest: Manifest) -> bytes:
    """Canonical JSON: sorted keys, one line feed at the end."""
    data: dict[str, Any] = {
        **manifest.extra,
        "schema": manifest.schema,
        "kind": manifest.kind,
        "base": manifest.base,
        "files": [
            {"path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256, "role": f.role}
            for f in manifest.files
        ],
        "engines": {
            role: {
                "path": engine.path,
                "inputs": [_tensor_json(spec) for spec in engine.inputs],
                "outputs": [_tensor_json(spec) for spec in engine.outputs],
                **({} if engine.precision == FP32 else {"precision": engine.precision}),
            }
            for role, engine in manifest.engines.items()
        },
        "shapes": manifest.shapes,
        "pixels": {name: getattr(manifest.pixels, name) for name in PixelSpec.__slots__},
        "calibration": calibration_to_json(manifest.calibration),
        "prompt": manifest.prompt,
        "evaluation": manifest.evaluation,
        "budgets": manifest.budgets,
        "made_by": manifest.made_by,
        **({"build": manifest.build} if manifest.build else {}),
    }
    return (json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def manifest_from_json(raw: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BundleError: not JSON, a newer schema, or a field missing or of the wrong type.
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is not JSON: {error}.", "Copy the bundle again.") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(schema, int):
        raise BundleError(f"{MANIFEST} has no schema number.", "This is no bundle, or a damaged one.")
    if schema > SCHEMA:
        raise BundleError(
            f"the bundle has schema {schema}, this program reads up to {SCHEMA}.", "Update pvchat-edge."
        )
    try:
        return _manifest(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{MANIFEST}: {type(error).__name__} at {error}.", "Copy the bundle again."
        ) from error


def _manifest(data: dict[str, Any]) -> Manifest:
    known = set(Manifest.__slots__) - {"extra"}
    pixels: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in data["pixels"].items()
    }
    return Manifest(
        schema=data["schema"],
        kind=str(data["kind"]),
        base=str(data["base"]),
        files=tuple(
            FileEntry(str(f["path"]), int(f["size_bytes"]), str(f["sha256"]), str(f["role"]))
            for f in data["files"]
        ),
        engines={
            role: EngineSpec(
                path=str(engine["path"]),
                inputs=tuple(_tensor(spec) for spec in engine["inputs"]),
                outputs=tuple(_tensor(spec) for spec in engine["outputs"]),
                precision=str(engine.get("precision", FP32)),
            )
            for role, engine in data["engines"].items()
        },
        shapes={letter: int(size) for letter, size in data["shapes"].items()},
        pixels=PixelSpec(**pixels),
        calibration=calibration_from_json(data["calibration"]),
        prompt=dict(data.get("prompt", {})),
        evaluation=dict(data.get("evaluation", {})),
        budgets=dict(data.get("budgets", {})),
        made_by=dict(data.get("made_by", {})),
        build=dict(data.get("build", {})),
        extra={key: value for key, value in data.items() if key not in known},
    )


def _tensor_json(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def _tensor(data: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(str(data["name"]), str(data["dtype"]), tuple(data["shape"]))


def calibration_to_json(calibration: Calibration) -> dict[str, Any]:
    """A calibration as the manifest holds it; an infinite `domain_limit` is null."""
    limit = calibration.domain_limit
    return {
        "sources": {
            name: {key: getattr(source, key) for key in SourceCalibration.__slots__}
            for name, source in calibration.sources.items()
        },
        "prior": calibration.prior,
        "accept": calibration.accept,
        "reject": calibration.reject,
        "min_quality": calibration.min_quality,
        "correlation": calibration.correlation,
        "domain_limit": None if limit == float("inf") else limit,
        "domain_sure": calibration.domain_sure,
        "descriptions": dict(calibration.descriptions),
        "described_with": calibration.described_with,
    }


def _source(data: Mapping[str, Any]) -> SourceCalibration:
    """What a newer writer adds is not understood, and no reason to stop."""
    return SourceCalibration(**{key: data[key] for key in SourceCalibration.__slots__ if key in data})


def calibration_from_json(data: Mapping[str, Any]) -> Calibration:
    """What `calibration_to_json` wrote."""
    limit = data["domain_limit"]
    return Calibration(
        sources={name: _source(source) for name, source in data["sources"].items()},
        prior=float(data["prior"]),
        accept=float(data["accept"]),
        reject=float(data["reject"]),
        min_quality=float(data["min_quality"]),
        correlation=float(data.get("correlation", 1.0)),
        domain_limit=float("inf") if limit is None else float(limit),
        domain_sure=float(data.get("domain_sure", 0.0)),
        descriptions={kind: float(least) for kind, least in data.get("descriptions", {}).items()},
        described_with=int(data.get("described_with", 1)),
    )


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle directory.

    Attributes:
        root: the directory.
        manifest: what it says of itself.
        bundle_id: first 16 hex digits of the manifest's sha256.
    """

    root: Path
    manifest: Manifest
    bundle_id: str

    @staticmethod
    def open(root: Path) -> Bundle:
        """Read the manifest; the files are not hashed (see `verify`).

        Raises:
            BundleError: no such directory, or a manifest that cannot be read.
        """
        try:
            raw = (root / MANIFEST).read_bytes()
        except OSError as error:
            raise BundleError(
                f"no bundle at {root}: {error.strerror}.", "Check the path, or run `pvchat-edge doctor`."
            ) from error
        return Bundle(root, manifest_from_json(raw), hashlib.sha256(raw).hexdigest()[:16])

    def verify(self) -> None:
        """Hash every file and compare.

        Raises:
            BundleError: naming each file that is missing, changed, extra, or a symlink.
        """
        problems = list(self._problems())
        if problems:
            raise BundleError(f"bundle {self.bundle_id} is damaged: {'; '.join(problems)}.", "Copy it again.")

    def _problems(self) -> Iterator[str]:
        entries = {entry.path: entry for entry in self.manifest.files}
        for entry in entries.values():
            path = self.path(entry.path)
            if path.is_symlink():
                yield f"{entry.path} is a symlink"
            elif not path.is_file():
                yield f"{entry.path} is missing"
            elif path.stat().st_size != entry.size_bytes or sha256_file(path) != entry.sha256:
                yield f"{entry.path} has changed"
        for path in bundle_files(self.root):
            name = path.relative_to(self.root).as_posix()
            if name not in entries:
                yield f"{name} is not in the manifest"

    def path(self, relative: str) -> Path:
        """A file of the bundle.

        Raises:
            BundleError: an absolute path or one that leaves the bundle.
        """
        pure = PurePosixPath(relative)
        if pure.is_absolute() or ".." in pure.parts or "\\" in relative or not pure.parts:
            raise BundleError(f"the bundle names the path {relative!r}, which leaves it.", "Do not use it.")
        return self.root.joinpath(*pure.parts)

    def read(self, relative: str) -> bytes:
        """A file's bytes, which are what the manifest says.

        Raises:
            BundleError: not in the manifest, not readable, or changed.
        """
        entry = self._entry(relative)
        with self._stream(entry) as stream:
            raw = stream.read()
        if hashlib.sha256(raw).hexdigest() != entry.sha256:
            raise _other(entry)
        return raw

    @contextmanager
    def opened(self, relative: str) -> Iterator[BinaryIO]:
        """A file at its beginning, whose bytes are what the manifest says: for who need not hold all of them.

        Raises:
            BundleError: not in the manifest, not readable, changed, or written to within the block.
        """
        entry = self._entry(relative)
        with self._stream(entry) as stream:
            before = _state(stream)
            if sha256_of(stream) != entry.sha256:
                raise _other(entry)
            stream.seek(0)
            yield stream
            if _state(stream) != before:
                raise _other(entry)

    def _entry(self, relative: str) -> FileEntry:
        entry = next((entry for entry in self.manifest.files if entry.path == relative), None)
        if entry is None:
            raise BundleError(f"the manifest lists no file {relative}.", "Export the bundle again.")
        return entry

    def _stream(self, entry: FileEntry) -> BinaryIO:
        try:
            return self.path(entry.path).open("rb")
        except OSError as error:
            raise BundleError(
                f"cannot read {entry.path}: {error.strerror}.", "Install the bundle again."
            ) from error

    def role(self, role: str) -> list[Path]:
        """All files with one role, in manifest order."""
        return [self.path(entry.path) for entry in self.manifest.files if entry.role == role]


def bundle_files(root: Path) -> list[Path]:
    """Every file under a bundle's root but the manifest and its signature, sorted; symlinks included."""
    skip = {MANIFEST, f"{MANIFEST}.sig"}
    found: list[Path] = []
    for folder, folders, names in os.walk(root, followlinks=False):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        found += [Path(folder) / name for name in [*names, *links]]
    return sorted(path for path in found if path.relative_to(root).as_posix() not in skip)


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return sha256_of(stream)


def sha256_of(stream: BinaryIO) -> str:
    """sha256 of what is left of a stream, in hex."""
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _other(entry: FileEntry) -> BundleError:
    return BundleError(f"{entry.path} is not the file of the manifest.", "Install the bundle again.")


def _state(stream: BinaryIO) -> tuple[int, int, int]:
    """Differs after anything was written to an open file."""
    found = os.fstat(stream.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
