"""Builds TensorRT plans from a bundle's ONNX files, on the box that will run them. Knows no session.

Strongly typed: precision is what the ONNX graph says, so no flag of a precision is ever set (TensorRT 11 has
none). What TensorRT timed is kept for the next build.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.atomic import write_atomic
from runtime.contract.bundle import Bundle, EngineSpec
from runtime.contract.errors import BundleError, EngineError, StoreError
from runtime.engines.cuda import Cuda
from runtime.engines.onnxfile import names_external_data
from runtime.engines.plans import BuildStep, Profile, Stamp, build_step, write_plan
from runtime.engines.trt import TrtEngine

TIMING_CACHE = "timing.cache"


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """One plan: its engine, size and how long it took."""

    role: str
    size_bytes: int
    seconds: float


def stamp_here(onnx: bytes, profile: Profile, *, trt: Any, cuda: Cuda) -> Stamp:
    """The stamp of a plan that is built now from this ONNX file."""
    return Stamp(
        hashlib.sha256(onnx).hexdigest(),
        str(trt.__version__),
        cuda.version(),
        cuda.compute_capability(),
        profile,
    )


def wanted_step(bundle: Bundle) -> BuildStep:
    """What the bundle wants built.

    Raises:
        BundleError: nothing.
    """
    step = build_step(bundle.manifest)
    if step is None:
        raise BundleError(
            "this bundle has no engines to build; it runs in ONNX Runtime as it is.",
            "Export it with `pvchat-edge export orin_nx_16gb` or another profile for TensorRT.",
        )
    return step


def build_bundle_plans(
    bundle: Bundle, folder: Path, *, trt: Any, cuda: Cuda, say: Callable[[str], None]
) -> list[BuiltPlan]:
    """Build every plan that the bundle wants, load it, and write it with its stamp.

    Args:
        folder: the bundle's plans; made when it is missing.

    Raises:
        BundleError: the bundle wants none, or TensorRT does not take an ONNX file.
        EngineError: TensorRT fails. StoreError: the folder cannot be written.
    """
    step = wanted_step(bundle)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {folder}: {error.strerror}.", "Check the folder.") from error
    return [_build_one(bundle, step, role, folder, trt, cuda, say) for role in step.roles]


def _build_one(
    bundle: Bundle, step: BuildStep, role: str, folder: Path, trt: Any, cuda: Cuda, say: Callable[[str], None]
) -> BuiltPlan:
    began = time.monotonic()
    specs = bundle.manifest.engines[role]
    onnx = bundle.read(specs.path)
    if names_external_data(onnx):
        raise BundleError(f"engine {role} keeps weights in another file.", "Export the bundle again.")
    say(f"build {role} (TensorRT {trt.__version__}, compute capability {cuda.compute_capability()})")
    profile = step.profile(role, specs)
    cache = folder / TIMING_CACHE
    before = cache.read_bytes() if cache.is_file() else b""
    plan, timed = build_plan(
        trt, role, onnx, specs, profile=profile, workspace_mib=step.workspace_mib, timing_cache=before
    )
    TrtEngine(role, plan, specs, trt=trt, cuda=cuda).close()
    write_plan(folder, role, plan, stamp_here(onnx, profile, trt=trt, cuda=cuda))
    if timed:
        write_atomic(cache, timed)
    return BuiltPlan(role, len(plan), time.monotonic() - began)


def build_plan(
    trt: Any,
    role: str,
    onnx: bytes,
    specs: EngineSpec,
    *,
    profile: Profile,
    workspace_mib: int,
    timing_cache: bytes = b"",
) -> tuple[bytes, bytes]:
    """One plan.

    Args:
        trt: the `tensorrt` package. onnx: an ONNX file with all weights inside.
        profile: shapes of the inputs with a free size.
        timing_cache: what an earlier build timed; one of another box is left aside.

    Returns:
        the plan, and the timing cache with what was timed now.

    Raises:
        BundleError: the parser refuses the file, or its inputs are not those of the manifest.
        EngineError: the profile does not fit, or nothing comes out.
    """
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        said = "; ".join(parser.get_error(number).desc() for number in range(parser.num_errors))
        raise BundleError(f"TensorRT {trt.__version__} does not take engine {role}: {said or 'no reason'}.")
    inputs = {network.get_input(number).name for number in range(network.num_inputs)}
    if inputs != {spec.name for spec in specs.inputs}:
        raise BundleError(f"engine {role}: TensorRT reads the inputs {', '.join(sorted(inputs))}.")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_mib << 20)
    config.clear_flag(trt.BuilderFlag.TF32)  # on by default; float32 in the graph means float32
    _use_timing(config, timing_cache)
    _use_profile(role, builder, config, profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT built nothing for engine {role}.", "See what it said above.")
    timed = config.get_timing_cache()
    return bytes(plan), b"" if timed is None else bytes(timed.serialize())


def _use_timing(config: Any, timing_cache: bytes) -> None:
    cache = config.create_timing_cache(timing_cache)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def _use_profile(role: str, builder: Any, config: Any, profile: Profile) -> None:
    if not profile:
        return
    shapes = builder.create_optimization_profile()
    for name, (least, usual, most) in profile.items():
        shapes.set_shape(name, min=least, opt=usual, max=most)
    if not shapes or config.add_optimization_profile(shapes) < 0:
        raise EngineError(f"TensorRT does not take the sizes of engine {role}: {profile}.")
