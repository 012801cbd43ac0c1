"""`python -m export.bench`: ours against PyTorch, onnxruntime-genai and llama.cpp, side by side.

Progress goes to stderr, the tables to stdout; the last line there is one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from export.bench import networks, report, shapes
from export.bench.decoder import prepared, time_decoders
from export.bench.networks import Rounds, Say
from export.bench.timing import bandwidth_bytes_s
from export.bench.words import word_tokenizer
from runtime.contract.errors import PvchatError

PARTS = ("networks", "router", "decoder")
_SHIPPED, _OURS = networks.OURS, "ours"  # what configs/export/cpu.toml ships


def main(argv: Sequence[str] | None = None) -> int:
    """Measure once; the exit code is the error's."""
    arguments = _parser().parse_args(argv)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {text}", file=sys.stderr, flush=True)

    torch.set_num_threads(arguments.threads)
    try:
        tables, line = _measure(arguments, say)
    except PvchatError as error:
        print(f"pvchat-edge bench: {error}", file=sys.stderr)
        return error.exit_code
    page, text = "\n".join([*_head(arguments, line), *tables]), json.dumps(line, sort_keys=True)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "bench.md").write_text(page, encoding="utf-8")
        (arguments.out / "bench.json").write_text(text + "\n", encoding="utf-8")
    print(page)
    print(text)
    return 0


def _head(arguments: argparse.Namespace, line: Mapping[str, Any]) -> list[str]:
    machine = line["machine"]
    command = f"`python -m export.bench{' --quick' if arguments.quick else ''}`"
    return [
        "# The engines' speed", "",
        f"{command}, {machine['cores']} CPU cores ({machine['cpu']}), {machine['threads']} threads for every "
        "contender, who take turns; random weights. Times are medians.", "",
    ]  # fmt: skip


def _measure(arguments: argparse.Namespace, say: Say) -> tuple[list[str], dict[str, Any]]:
    rounds = Rounds(
        warm=1,
        repeats=2 if arguments.quick else arguments.repeats,
        compile=not (arguments.quick or arguments.no_compile),
    )
    sizes = {"tiny": shapes.TINY} if arguments.quick else {"tiny": shapes.TINY, "real": shapes.REAL}
    line: dict[str, Any] = {"machine": report.machine(arguments.threads), "quick": arguments.quick}
    details: dict[str, Any] = {}
    tables: list[str] = []
    for name, model in sizes.items():  # the last one's ratios are the line's
        if "networks" in arguments.parts:
            found = networks.time_networks(model, threads=arguments.threads, rounds=rounds, say=say)
            line |= report.network_ratios(found, shipped=_SHIPPED)
            details[f"networks_{name}"] = report.plain(found)
            tables += report.table(f"vision and bridge, {name} sizes", found, networks.EAGER)
        if "router" in arguments.parts:
            routes = networks.time_router(model, threads=arguments.threads, rounds=rounds, say=say)
            line |= report.router_ratios(routes)
            details[f"router_{name}"] = report.plain(routes)
            tables += report.table(f"bridge, {name} sizes", routes, networks.UNROUTED)
    if "decoder" in arguments.parts:
        added, ratios, details["decoder"] = _decoders(arguments, rounds, say)
        line |= ratios
        tables += added
    line = {**dict.fromkeys(report.TARGETS), **line, "details": details}
    return [*tables, *report.target_table(line)], line


def _decoders(
    arguments: argparse.Namespace, rounds: Rounds, say: Say
) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    config = shapes.SMALL_DECODER if arguments.quick else shapes.DECODER
    prompt, steps = (8, 4) if arguments.quick else (32, 32)
    with contextlib.ExitStack() as stack:
        folder = arguments.decoders
        if folder is None:
            scratch = tempfile.TemporaryDirectory(prefix="pvchat-bench-", dir=arguments.scratch)
            folder = Path(stack.enter_context(scratch))
        weight_bytes = prepared(folder, config, word_tokenizer(config.vocab), say)
        bytes_s = bandwidth_bytes_s()
        found = time_decoders(
            folder,
            threads=arguments.threads,
            prompt=prompt,
            steps=steps,
            warm=rounds.warm,
            repeats=rounds.repeats,
            compiled=rounds.compile,
            say=say,
        )
        bytes_s = max(bytes_s, bandwidth_bytes_s())  # a busy moment must not make the limit easier
    ratios = report.decoder_ratios(found, weight_bytes=weight_bytes, bytes_s=bytes_s, ours=_OURS)
    title = (
        f"decoder, {shapes.parameters(config) / 1e6:.0f} M parameters, {weight_bytes / 2**20:.0f} MiB in int4"
    )
    details = {
        **report.plain(found), "weight_bytes": weight_bytes, "bandwidth_bytes_s": bytes_s,
        "parameters": shapes.parameters(config), "prompt": prompt, "steps": steps,
    }  # fmt: skip
    return report.decoder_table(title, found, limit_s=weight_bytes / bytes_s), ratios, details


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.bench", description="Ours against others.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, two rounds: only that it runs")
    parser.add_argument("--threads", type=int, default=2, help="of every contender alike")
    parser.add_argument("--repeats", type=int, default=7, help="rounds that count")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--scratch", type=Path, help="where some GB may lie meanwhile (default: temporary folder)"
    )
    parser.add_argument(
        "--no-compile", action="store_true", help="leave out torch.compile, which takes minutes"
    )
    parser.add_argument(
        "--decoders", type=Path, help="keep what decoders read here, and take it from here the next time"
    )
    parser.add_argument("--out", type=Path, help="write bench.md and .json here, such as docs/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
