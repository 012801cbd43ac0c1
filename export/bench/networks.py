"""Vision and bridge against torch, and what the router costs; every table is one run in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from export.bench.engines import (
    Part,
    bridge_part,
    compiled,
    exported,
    fused,
    loaded,
    two_heads_cut,
    vision_part,
)
from export.bench.int8 import quantised
from export.bench.shapes import FRAMES, SUBJECTS, routed
from export.bench.timing import Timed, in_turns
from export.prune import silenced
from export.wrappers import Arrays, WindowBridge
from runtime.contract.errors import BundleError
from runtime.engines.ort import OrtEngine
from train.model.pvchat import ModelConfig

Say = Callable[[str], None]
OURS, INT8, EAGER, COMPILED = "ours, float32", "ours, static int8", "PyTorch eager", "torch.compile"
INT8_COSINE = 0.99
_MORE = 4  # rounds, where a few percent are to be told
UNROUTED, ROUTED, PLAIN, PRUNED = "unrouted", "routed, fused", "routed, not fused", "routed, two heads cut"


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often: rounds that do not count and rounds that do, and whether to try `torch.compile`."""

    warm: int
    repeats: int
    compile: bool


def time_networks(sizes: ModelConfig, *, threads: int, rounds: Rounds, say: Say) -> dict[str, Timed | str]:
    """Vision on a window's frames and the bridge after it; a contender that cannot run is its reason."""
    parts = [vision_part(sizes, FRAMES), bridge_part(sizes, SUBJECTS)]
    say("export vision and bridge")
    files = [exported(part, fused(part)) for part in parts]
    engines = [loaded(part, raw, threads=threads) for part, raw in zip(parts, files, strict=True)]
    contenders: dict[str, Callable[[], object]] = {
        OURS: lambda: [one.run(part.inputs) for one, part in zip(engines, parts, strict=True)],
        EAGER: lambda: [part.eager() for part in parts],
    }
    missing: dict[str, Timed | str] = {}
    say("quantise vision and bridge")
    try:
        small = [_rounded(part, raw, threads) for part, raw in zip(parts, files, strict=True)]
        contenders[INT8] = lambda: [one.run(part.inputs) for one, part in zip(small, parts, strict=True)]
    except BundleError as error:
        missing[INT8] = error.message
    if rounds.compile:
        say("compile vision and bridge")
        try:
            fast = [compiled(part) for part in parts]
            contenders[COMPILED] = lambda: [run() for run in fast]
        except Exception as error:  # noqa: BLE001 - a machine without a compiler still has the other rows
            missing[COMPILED] = f"not here: {type(error).__name__}"
    say("time vision and bridge")
    return {**in_turns(contenders, warm=rounds.warm, repeats=rounds.repeats), **missing}


def time_router(sizes: ModelConfig, *, threads: int, rounds: Rounds, say: Say) -> dict[str, Timed]:
    """The same bridge without routing, routed, and with two of its routed heads cut."""
    say("export four bridges")
    with_router, without = (bridge_part(routed(sizes, mode), SUBJECTS) for mode in ("identity", "none"))
    engines = {
        UNROUTED: loaded(without, exported(without, without.module), threads=threads),
        PLAIN: loaded(with_router, exported(with_router, with_router.module), threads=threads),
        ROUTED: loaded(with_router, exported(with_router, fused(with_router)), threads=threads),
        PRUNED: _pruned(with_router, threads),
    }
    say("time four bridges")
    inputs = with_router.inputs
    return in_turns(
        {name: _bound(one, inputs) for name, one in engines.items()},
        warm=rounds.warm,
        repeats=rounds.repeats * _MORE,
    )


def _pruned(part: Part, threads: int) -> OrtEngine:
    if not isinstance(part.module, WindowBridge):
        raise TypeError("only a bridge has heads to cut")
    cut = two_heads_cut(part.module.bridge)
    oracle = WindowBridge(silenced(part.module.bridge, cut)).eval()
    return loaded(part, exported(part, fused(part, cut)), threads=threads, oracle=oracle)


def _rounded(part: Part, raw: bytes, threads: int) -> OrtEngine:
    return loaded(part, quantised(raw, [part.inputs]), threads=threads, least_cosine=INT8_COSINE)


def _bound(one: OrtEngine, inputs: Arrays) -> Callable[[], object]:
    return lambda: one.run(inputs)
