"""From a checkpoint to a bundle directory, whole or not at all. Knows no signature and no update."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.numpy

from export.build import Built, Progress, Source, build_engines, golden_tensors, open_source
from export.config import ExportConfig
from export.language import embedding_table
from export.prompts import PromptCase
from export.prove import prove_bundle
from export.prune import Method, Pruning, measured, proven
from export.specs import pixel_spec, shape_letters
from export.wrappers import Arrays
from runtime.adapters import read_adapter
from runtime.contract.bundle import (
    MANIFEST,
    Bundle,
    FileEntry,
    Manifest,
    bundle_files,
    calibration_to_json,
    manifest_to_json,
    sha256_file,
)
from runtime.contract.calibration import Calibration
from runtime.contract.errors import BundleError, UsageError
from runtime.contract.prompt import MAX_SUBJECTS, TEMPLATE_VERSION
from train.checkpoint import CALIBRATION, SIZES, TOKENIZER, WEIGHTS

Kind = Literal["base", "household"]
_ROLES = {
    "language/embeddings.safetensors": "embeddings",
    "language/tokenizer.json": "tokenizer",
    "domain.safetensors": "domain",
}
_FOLDER_ROLES = {"checkpoint": "checkpoint", "golden": "golden", "adapters": "adapter"}
_TOOLS = ("torch", "transformers", "optimum", "onnx", "onnxscript", "onnxruntime", "onnxruntime-genai")


@dataclass(frozen=True, slots=True)
class PruneWish:
    """How idle routed heads are found: by proof, or measured on windows of the household."""

    method: Method
    windows: tuple[Arrays, ...] = ()


def pack(
    checkpoint_dir: Path,
    out_dir: Path,
    *,
    kind: Kind,
    calibration: Calibration,
    evaluation: Mapping[str, Any],
    made_by: Mapping[str, Any],
    config: ExportConfig,
    adapters: Sequence[Path] = (),
    golden: Mapping[str, Arrays] | None = None,
    prompts: Sequence[PromptCase] | None = None,
    ready: Mapping[str, bytes] | None = None,
    pruning: PruneWish | None = None,
    progress: Progress = lambda _: None,
) -> Bundle:
    """Export a checkpoint, prove it against torch, and write a bundle.

    Args:
        checkpoint_dir: as `train.checkpoint.save_base` wrote it.
        out_dir: must not exist, be empty, or hold a bundle, which is replaced.
        evaluation, made_by: for the manifest; the parity report and the tools' versions are added.
        adapters: adapter files of the household's members; a `base` bundle has none.
        golden: inputs by engine for the self-test; made-up ones where none are given.
        prompts: on which the int4 language engine is judged; None: made-up ones.
        ready: engines already exported from this very checkpoint, by role.
        pruning: which routed heads the bridge goes without; None: it keeps all.

    Raises:
        UsageError: `out_dir` holds something else. BundleError: torch disagrees, or it is too large.
        AdapterError: an adapter that does not fit.
    """
    _refuse_target(out_dir)
    if kind == "base" and adapters:
        raise UsageError("a base bundle has nobody in it.", "Pack adapters with kind household.")
    source, given = open_source(checkpoint_dir), dict(golden or {})
    members = _members(source, adapters)
    pruned, windows = _pruning(source, pruning)
    built = build_engines(
        source,
        config,
        golden=given,
        prompts=prompts,
        ready={role: raw for role, raw in (ready or {}).items() if role != "bridge" or pruned is None},
        progress=progress,
        pruning=pruned,
        windows=windows,
    )
    progress("write the bundle")

    def write(root: Path) -> Manifest:
        _write(root, source, built, golden_tensors(source, built, config, given), members)
        _write_calibration(root, calibration)
        about = {**made_by, "export": _made_with(config, pruned)}
        scores = {**evaluation, "parity": built.parity}
        return _manifest(root, kind, source, built, config, calibration, scores, about)

    return _put_whole(out_dir, write, config.max_mib)


def _put_whole(out_dir: Path, write: Callable[[Path], Manifest], max_mib: float) -> Bundle:
    """Write beside the target, check, and rename; nothing is left behind when it fails."""
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    try:
        manifest = write(temporary)
        (temporary / MANIFEST).write_bytes(manifest_to_json(manifest))
        _refuse_size(temporary, max_mib)
        prove_bundle(temporary)
        temporary.chmod(0o755)
        _put(temporary, out_dir)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Bundle.open(out_dir)


def _manifest(
    root: Path, kind: Kind, source: Source, built: Built, config: ExportConfig, calibration: Calibration,
    evaluation: Mapping[str, Any], made_by: Mapping[str, Any],
) -> Manifest:  # fmt: skip
    return Manifest(
        kind=kind,
        base=source.base,
        files=_entries(root, built),
        engines=built.specs,
        shapes=shape_letters(source.config),
        pixels=pixel_spec(source.config),
        calibration=calibration,
        prompt={"template": TEMPLATE_VERSION, "max_subjects": MAX_SUBJECTS},
        evaluation=dict(evaluation),
        budgets={"bundle_mib": config.max_mib},
        made_by=dict(made_by),
        build={} if config.tensorrt is None else {"tensorrt": dataclasses.asdict(config.tensorrt)},
    )


def _pruning(source: Source, wish: PruneWish | None) -> tuple[Pruning | None, Sequence[Arrays]]:
    if wish is None:
        return None, ()
    if wish.method == "proven":
        return proven(source.model.bridge), ()
    return measured(source.model.bridge, wish.windows), wish.windows


def _made_with(config: ExportConfig, pruned: Pruning | None) -> dict[str, Any]:
    about: dict[str, Any] = {"config": dataclasses.asdict(config), "tools": _tool_versions()}
    return about if pruned is None else {**about, "pruned_heads": pruned.to_json()}


def size_mib(bundle: Bundle) -> float:
    """All files, the manifest too."""
    return _size_mib(bundle.root)


def _size_mib(root: Path) -> float:
    return sum(path.stat().st_size for path in (*bundle_files(root), root / MANIFEST)) / 2**20


def _refuse_target(out_dir: Path) -> None:
    if out_dir.is_dir() and (not any(out_dir.iterdir()) or (out_dir / MANIFEST).is_file()):
        return
    if out_dir.exists() or out_dir.is_symlink():
        raise UsageError(f"{out_dir} exists and is no bundle.", "Choose another folder, or remove it.")


def _members(source: Source, adapters: Sequence[Path]) -> dict[str, bytes]:
    """Adapter files by their name in the bundle."""
    shapes = shape_letters(source.config)
    members: dict[str, bytes] = {}
    for path in adapters:
        adapter, raw = read_adapter(path, base=source.base, shapes=shapes)
        name = f"{adapter.subject_id}.safetensors"
        if name in members:
            raise BundleError(f"two adapters are for subject {adapter.subject_id[:9]}.", "Give one of each.")
        members[name] = raw
    return members


def _write(
    root: Path,
    source: Source,
    built: Built,
    golden: Mapping[str, Arrays],
    members: Mapping[str, bytes],
) -> None:
    for role, raw in built.files.items():
        _put_bytes(root / built.specs[role].path, raw)
    for name in (WEIGHTS, SIZES, TOKENIZER):
        _put_bytes(root / "checkpoint" / name, (source.folder / name).read_bytes())
    _put_bytes(root / "language" / "tokenizer.json", source.tokenizer_json.encode())
    table = {"embed": embedding_table(source.model.language)}
    _put_bytes(root / "language" / "embeddings.safetensors", safetensors.numpy.save(table))
    domain = {
        "mean": source.model.domain_mean.numpy().astype(np.float32),
        "whiten": source.model.domain_whiten.numpy().astype(np.float32),
    }
    _put_bytes(root / "domain.safetensors", safetensors.numpy.save(domain))
    for role, tensors in golden.items():
        contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        _put_bytes(root / "golden" / f"{role}.safetensors", safetensors.numpy.save(contiguous))
    for name, raw in members.items():
        _put_bytes(root / "adapters" / name, raw)


def _write_calibration(root: Path, calibration: Calibration) -> None:
    """Beside the weights, so that another export of this checkpoint finds it."""
    text = json.dumps(calibration_to_json(calibration), indent=1, sort_keys=True) + "\n"
    _put_bytes(root / "checkpoint" / CALIBRATION, text.encode())


def _put_bytes(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def _entries(root: Path, built: Built) -> tuple[FileEntry, ...]:
    engines = {spec.path: role for role, spec in built.specs.items()}
    entries = []
    for path in bundle_files(root):
        name = path.relative_to(root).as_posix()
        role = engines.get(name) or _ROLES.get(name) or _FOLDER_ROLES[name.split("/", 1)[0]]
        entries.append(FileEntry(name, path.stat().st_size, sha256_file(path), role))
    return tuple(entries)


def _tool_versions() -> dict[str, str]:
    found = {}
    for name in _TOOLS:
        with suppress(
            importlib.metadata.PackageNotFoundError
        ):  # the gpu extra brings onnxruntime-gpu instead
            found[name] = importlib.metadata.version(name)
    return found


def _refuse_size(root: Path, max_mib: float) -> None:
    size = _size_mib(root)
    if size > max_mib:
        largest = max(bundle_files(root), key=lambda path: path.stat().st_size)
        raise BundleError(
            f"the bundle has {size:.1f} MiB, allowed are {max_mib:g}; "
            f"its largest file is {largest.relative_to(root)} ({largest.stat().st_size / 2**20:.1f} MiB).",
            "Train a smaller model, or raise max_mib in the export's configuration.",
        )


def _put(made: Path, target: Path) -> None:
    """Rename the finished bundle to its place; a bundle that was there goes only when the new one is in."""
    if not target.exists():
        made.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    target.replace(old)
    try:
        made.rename(target)
    except OSError:
        old.replace(target)
        raise
    shutil.rmtree(old)
