"""Which of a bundle's engines run as TensorRT plans here, and opening them. Knows no questions."""

from __future__ import annotations

from pathlib import Path

from runtime.contract.bundle import Bundle
from runtime.contract.errors import BundleError, EngineError
from runtime.engines.base import Engine
from runtime.engines.cuda import open_cuda
from runtime.engines.parts import PartedEngine, row_letter
from runtime.engines.plans import BuildStep, build_step, plan_path, read_plan
from runtime.engines.trt import TrtEngine, library
from runtime.engines.trt_build import stamp_here

TENSORRT = "tensorrt"


def plans_of(folder: Path, bundle: Bundle) -> Path:
    """Where the plans of one bundle lie in the folder of all plans."""
    return folder / bundle.bundle_id


def wanted_plans(bundle: Bundle, device: str, folder: Path | None) -> BuildStep | None:
    """What runs in TensorRT; None: nothing.

    Args:
        device: `tensorrt`: all that the bundle wants built; `auto`: the same where plans have been built;
            anything else: nothing.
        folder: of all plans; None: there are none.

    Raises:
        BundleError: `tensorrt` was asked for and the bundle has nothing to build.
        EngineError: it was asked for and there is no folder of plans.
    """
    if device not in (TENSORRT, "auto"):
        return None
    step = build_step(bundle.manifest)
    if device == TENSORRT:
        if step is None:
            raise BundleError("this bundle was not exported for TensorRT.", "Choose device auto.")
        if folder is None:
            raise EngineError("the runtime was not told where TensorRT plans lie.", "Give it --engines DIR.")
        return step
    if step is None or folder is None:
        return None
    built = any(plan_path(plans_of(folder, bundle), role).exists() for role in step.roles)
    return step if built else None


def open_plans(bundle: Bundle, step: BuildStep, folder: Path) -> dict[str, Engine]:
    """Every plan of a bundle, each with a stamp that fits this box.

    Raises:
        EngineError: TensorRT or CUDA is missing, or a plan is missing, of another box or damaged; with the
            command that builds it again.
    """
    trt, cuda = library(), open_cuda()
    engines: dict[str, Engine] = {}
    for role in step.roles:
        specs = bundle.manifest.engines[role]
        here = stamp_here(bundle.read(specs.path), step.profile(role, specs), trt=trt, cuda=cuda)
        plan = read_plan(plans_of(folder, bundle), role, here)
        engine: Engine = TrtEngine(role, plan, specs, trt=trt, cuda=cuda)
        letter = row_letter(specs)
        engines[role] = engine if letter is None else PartedEngine(role, engine, step.sizes[letter][2])
    return engines
