"""The workshop's part: train one member's adapter fully, merge, export, install. Knows no questions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.contract.bundle import MANIFEST
from runtime.contract.errors import BundleError
from train.demo.children import Children
from train.exporting import export_config
from train.world.household import Member

_MERGE_TIMEOUT_S = 180.0
_EXPORT_TIMEOUT_S = 400.0
_TRAIN_GRACE_S = 180.0


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A member as the box knows them.

    Attributes:
        subject_id: opaque id.
        adapter: the instant adapter's file.
        release: its number.
        sheet: the contact sheet, JPEG; None: there is none.
        report: what `person add` said.
    """

    member: Member
    subject_id: str
    adapter: Path
    release: int
    sheet: bytes | None
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """What came out of the workshop.

    Attributes:
        trained: the trained adapter of the first member, next release.
        training, merging, export: what each step said (its JSON line).
        bundle: the household's bundle.
    """

    trained: Path
    training: Mapping[str, Any]
    merging: Mapping[str, Any]
    export: Mapping[str, Any]
    bundle: Path


def base_checkpoint(children: Children) -> Path:
    """The training checkpoint inside the bundle in use, every file of which was just hashed.

    Raises:
        PvchatError: no usable bundle, or one without a checkpoint.
    """
    root = Path(children.cli("bundle", "verify").data["path"])
    checkpoint = root / "checkpoint"
    if not checkpoint.is_dir():
        raise BundleError(f"{root} holds no checkpoint.", "Export the base again.")
    return checkpoint


def enrol(children: Children, member: Member, clip: Path) -> Enrolled:
    """One member from one clip, with consent on record."""
    said = children.cli("person", "add", member.name, "--clip", str(clip), "--consent-by", member.name).data
    report = said["report"]
    sheet = report["sheet_path"]
    return Enrolled(
        member=member,
        subject_id=said["subject_id"],
        adapter=Path(report["adapter_path"]),
        release=said["release"],
        sheet=Path(sheet).read_bytes() if sheet else None,
        report=report,
    )


def make(
    children: Children,
    folder: Path,
    checkpoint: Path,
    people: Sequence[Enrolled],
    clip: Path,
    seconds: float,
) -> Made:
    """Train the first member, merge everybody, export and prove the household's bundle.

    Args:
        checkpoint: of the base.
        clip: the first member's reference clip.
        seconds: of training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first, *others = people
    trained, merged, bundle = folder / "trained.safetensors", folder / "merged", folder / "bundle"
    training = children.module(
        "train.subject", "--base", str(checkpoint), "--clip", str(clip), "--adapter", str(first.adapter),
        "--out", str(trained), "--release", str(first.release + 1), "--seconds", f"{seconds:g}",
        timeout_s=seconds + _TRAIN_GRACE_S,
    ).data  # fmt: skip
    adapters = [trained, *(one.adapter for one in others)]
    merging = children.module(
        "train.merge", "--base", str(checkpoint), *_each("--adapter", adapters), "--out", str(merged),
        timeout_s=_MERGE_TIMEOUT_S,
    ).data  # fmt: skip
    notes = write_notes(checkpoint.parent / MANIFEST, folder)
    exported = children.module(
        "export", str(export_config()), "--checkpoint", str(merged), "--out", str(bundle), "--quick",
        *(word for name, path in notes.items() for word in (f"--{name}", str(path))),
        "--adapters", *(str(path) for path in adapters),
        timeout_s=_EXPORT_TIMEOUT_S,
    ).data  # fmt: skip
    return Made(trained, training, merging, exported, bundle)


def write_notes(manifest: Path, folder: Path) -> dict[str, Path]:
    """What the base's manifest says and the exporter needs again, one file each, by option name.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        said = json.loads(manifest.read_bytes())
        scores = {name: value for name, value in said.get("evaluation", {}).items() if name != "parity"}
        found = {"evaluation": scores, "made-by": said.get("made_by", {})}
    except (OSError, ValueError, AttributeError) as error:
        raise BundleError(f"cannot read {manifest}: {error}.", "Install pvchat-edge again.") from error
    paths = {}
    for name, value in found.items():
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    return paths


def _each(option: str, paths: Sequence[Path]) -> list[str]:
    return [word for path in paths for word in (option, str(path))]
