"""TensorRT plans on the box: where they lie, what each was built from, and whether it may be used here.

A plan runs only with the TensorRT and on the GPU that it was built with. Beside each plan lies a stamp; one
that differs from this box or this bundle is refused, with the command that builds it again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.atomic import write_atomic
from runtime.contract.bundle import EngineSpec, Manifest
from runtime.contract.errors import BundleError, EngineError

REBUILD = "Run `pvchat-edge bundle build-engines`."
Range = tuple[int, int, int]
Profile = dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]
"""By input: its least, usual and largest shape."""


@dataclass(frozen=True, slots=True)
class BuildStep:
    """What a bundle wants built on the box (`build.tensorrt` in the manifest).

    Attributes:
        roles: engines that become plans; the others stay with ONNX Runtime.
        sizes: least, usual and largest size of each free letter.
        workspace_mib: memory that TensorRT may use while it builds and runs.
    """

    roles: tuple[str, ...]
    sizes: dict[str, Range]
    workspace_mib: int

    def profile(self, role: str, specs: EngineSpec) -> Profile:
        """Shapes of every input with a free letter.

        Raises:
            BundleError: a letter without sizes.
        """
        found: Profile = {}
        for spec in specs.inputs:
            letters = [size for size in spec.shape if isinstance(size, str)]
            lacking = [letter for letter in letters if letter not in self.sizes]
            if lacking:
                raise BundleError(f"engine {role}: the bundle gives no sizes for {', '.join(lacking)}.")
            if letters:
                least, usual, most = (
                    tuple(self.sizes[size][at] if isinstance(size, str) else size for size in spec.shape)
                    for at in range(3)
                )
                found[spec.name] = (least, usual, most)
        return found


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a plan was built from and for.

    Attributes:
        onnx_sha256: of the bundle's ONNX file; tensorrt, cuda, compute_capability: of the box.
        profile: shapes that it takes; plan_sha256: of the plan's own bytes.
    """

    onnx_sha256: str
    tensorrt: str
    cuda: str
    compute_capability: str
    profile: Mapping[str, Any]
    plan_sha256: str = ""


def build_step(manifest: Manifest) -> BuildStep | None:
    """What the manifest wants built with TensorRT; None: nothing.

    Raises:
        BundleError: it says so in a way that cannot be read.
    """
    data = manifest.build.get("tensorrt")
    if data is None:
        return None
    try:
        sizes = {str(letter): _range(found) for letter, found in data["sizes"].items()}
        step = BuildStep(tuple(map(str, data["roles"])), sizes, int(data["workspace_mib"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"the bundle's build step cannot be read: {error!r}.", "Export it again."
        ) from error
    unknown = [role for role in step.roles if role not in manifest.engines]
    if unknown:
        raise BundleError(f"the bundle wants engines built that it has not: {', '.join(unknown)}.")
    return step


def plan_path(folder: Path, role: str) -> Path:
    """Where the plan of an engine lies; its stamp has the ending `.json`."""
    return folder / f"{role}.plan"


def write_plan(folder: Path, role: str, plan: bytes, stamp: Stamp) -> None:
    """Write a plan and its stamp; the stamp comes last and names the plan's hash.

    Raises:
        StoreError: the folder cannot be written.
    """
    stamped = dataclasses.replace(stamp, plan_sha256=hashlib.sha256(plan).hexdigest())
    text = json.dumps(dataclasses.asdict(stamped), indent=1, sort_keys=True) + "\n"
    write_atomic(plan_path(folder, role), plan)
    write_atomic(plan_path(folder, role).with_suffix(".json"), text.encode())


def read_plan(folder: Path, role: str, here: Stamp) -> bytes:
    """A plan that fits this box and this bundle.

    Args:
        here: the stamp that a plan built now would have, without the plan's hash.

    Raises:
        EngineError: no plan, one of another bundle or box, or a damaged one; each with the command that
            builds it again.
    """
    path = plan_path(folder, role)
    try:
        data = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        plan = path.read_bytes()
    except (OSError, ValueError) as error:
        raise EngineError(f"engine {role} has not been built for this box ({path}).", REBUILD) from error
    wanted = json.loads(json.dumps(dataclasses.asdict(here)))
    for name in ("onnx_sha256", "tensorrt", "cuda", "compute_capability", "profile"):
        built = data.get(name) if isinstance(data, dict) else None
        if built != wanted[name]:
            raise EngineError(
                f"engine {role} was built for {name} {_brief(built)}, here is {_brief(wanted[name])}.",
                REBUILD,
            )
    if hashlib.sha256(plan).hexdigest() != data.get("plan_sha256"):
        raise EngineError(f"engine {role}: {path.name} has changed since it was built.", REBUILD)
    return plan


def _range(values: Any) -> Range:
    least, usual, most = (int(value) for value in values)
    if not 1 <= least <= usual <= most:
        raise ValueError(f"sizes {values} do not rise from 1 on")
    return least, usual, most


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if len(text) == 64 else text
