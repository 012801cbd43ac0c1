"""`python -m export.bench_runtime`: how fast the runtime is. A table, then one line of JSON.

Everything is measured on rendered cameras with the bundle's own weights; what is compared is compared within
one run, turn and turn about.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.paths import base_bundle
from export.bench_runtime.clients import measure_clients
from export.bench_runtime.eager import eager_models
from export.bench_runtime.first import described_show, measure_first
from export.bench_runtime.household import enrol
from export.bench_runtime.scenes import make_scenes
from export.bench_runtime.shell import measure_shell
from export.bench_runtime.stream import measure_stream
from export.bench_runtime.swap import measure_swaps
from export.bench_runtime.table import Figures, line_of, table_of
from export.bench_runtime.watch import measure_watch
from export.machine import cpu_name
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.session.models import load_models
from train.program import run_program


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    members: int
    cameras: int
    repeats: int
    looks: int
    clients: int
    questions: int
    beyond: int
    asks: int
    rounds: int


WHOLE = Plan(5, 4, repeats=20, looks=30, clients=200, questions=5, beyond=500, asks=15, rounds=10)
QUICK = Plan(2, 2, repeats=2, looks=2, clients=12, questions=2, beyond=30, asks=1, rounds=1)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the exit code is the error's."""
    args = _parser().parse_args(argv)
    return run_program("export.bench_runtime", lambda: _measure(args), args.json)


def _measure(args: argparse.Namespace) -> dict[str, Any]:
    plan = QUICK if args.quick else WHOLE
    bundle = Bundle.open(args.bundle.absolute())
    config = RuntimeConfig(device="cpu", threads=args.threads)
    engines = load_models(bundle, config)
    eager = eager_models(bundle, engines, config.threads)
    fps = engines.manifest.pixels.window_fps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _say("rendering the household and its cameras")
        scenes = make_scenes(folder, seed=args.seed, members=plan.members, cameras=plan.cameras, fps=fps)
        enrolled = enrol(bundle, engines, config, scenes, folder)
        _say("the first question, engines and caches apart")
        show = described_show(enrolled, engines, config, scenes.shows)
        first = measure_first(enrolled, engines, eager, config, show, plan.repeats)
        _say("one more second of a live window")
        stream = measure_stream(engines, show, plan.repeats)
        _say("cameras on one core")
        watch = measure_watch(enrolled, scenes.shows, plan.looks)
        _say(f"{plan.clients} clients at once")
        clients = measure_clients(
            enrolled, scenes.shows, fps, clients=plan.clients, questions=plan.questions, beyond=plan.beyond
        )
        _say("questions while people come, change and go")
        swaps = measure_swaps(enrolled, scenes.shows[0], scenes.references[0], fps, plan.rounds)
        _say("`pvchat-edge ask` from the shell")
        shell = measure_shell(scenes, plan.asks)
    figures = Figures(first, stream, watch, clients, swaps, shell)
    text = table_of(figures, _head(args, bundle, plan))
    print(text)
    line = line_of(figures)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "runtime.md").write_text(text, encoding="utf-8")
        (args.out / "runtime.json").write_text(json.dumps(line) + "\n", encoding="utf-8")
    return line


def _head(args: argparse.Namespace, bundle: Bundle, plan: Plan) -> str:
    command = f"`python -m export.bench_runtime{' --quick' if args.quick else ''}`"
    machine = f"{os.cpu_count()} CPU cores ({cpu_name()}), {args.threads} threads an engine run"
    return f"{command}, bundle {bundle.bundle_id}, {machine}, {plan.members} people enrolled."


def _say(what: str) -> None:
    print(f"measuring: {what} …", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.bench_runtime", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=base_bundle(), help="default: the one that ships")
    parser.add_argument("--quick", action="store_true", help="few repeats: whether it runs, no figures")
    parser.add_argument("--threads", type=int, default=RuntimeConfig().threads, help="of one engine run")
    parser.add_argument("--seed", type=int, default=5, help="of the rendered household")
    parser.add_argument("--out", type=Path, help="write runtime.md and .json here, such as docs/results")
    parser.add_argument("--json", type=Path, help="write the line here, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
