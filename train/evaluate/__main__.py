"""`python -m train.evaluate`: score a bundle on people nobody trained on. Ends with one line of JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runtime.contract.bundle import Bundle
from runtime.contract.errors import UsageError
from runtime.contract.settings import load_settings
from train.evaluate.ask import ask_all, ask_trained
from train.evaluate.baseline import crop_knn
from train.evaluate.config import EvaluateConfig
from train.evaluate.folder import read_households
from train.evaluate.kept import answers_key
from train.evaluate.render import render_seed
from train.evaluate.report import draw, split_table, table
from train.evaluate.saved import read_saved, saved_path, write_saved
from train.evaluate.score import Seed, result_line
from train.evaluate.splits import split_figures
from train.exporting import export_checkpoint
from train.program import run_program
from train.progress import bar

_SEEDS = (1, 2, 3)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; the exit code is the error's."""
    args = _arguments(argv)
    return run_program("train.evaluate", lambda: _evaluate(args), args.json)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path, help="the bundle to score")
    what.add_argument(
        "--checkpoint", type=Path, help="export this base checkpoint for a plain CPU, and score that"
    )
    parser.add_argument("--config", type=Path, help="default: built-in, as configs/train/evaluate.toml")
    parser.add_argument("--work", type=Path, default=Path("out/evaluate"), help="for clips and answers")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--seeds", type=_seeds, default=_SEEDS, help="seeds of the people, such as 1,2,3")
    where.add_argument("--world", type=Path, help="score on this folder of clips instead (docs/world.md)")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER",
        help="write each seed's answers there, and do not ask again what is there: seeds can take days",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="also write the result line here")
    return parser.parse_args(argv)


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _evaluate(args: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    config = load_settings(args.config, EvaluateConfig) if args.config else EvaluateConfig()
    if args.checkpoint is not None:
        args.bundle = export_checkpoint(args.checkpoint, args.work / "bundle")
    bundle = Bundle.open(args.bundle.absolute())
    bundle.verify()
    if args.world is not None:
        *_, whole = _scored(args, config, bundle, None, args.world)
        seeds = [whole]
    else:
        if not args.seeds or min(args.seeds) < 0:
            raise UsageError("--seeds wants numbers from 0 on, such as 1,2,3.")
        seeds = [_seed(args, config, bundle, number) for number in args.seeds]
    about = {
        "world": "rendered" if args.world is None else str(args.world),
        "config": dataclasses.asdict(config),
        "bundle": bundle.bundle_id,
        "base": bundle.manifest.base,
        "bundle_mb": _size_mb(args.bundle),
    }
    line = result_line(seeds, config.events_per_camera_day, about)
    line["seconds"] = round(time.monotonic() - began, 1)
    presence = [one for seed in seeds for one in seed.answers.presence]
    draw(args.work / "presence.png", presence)
    splits = split_figures(presence, config.events_per_camera_day)
    sys.stderr.write(f"\n{table(line)}\n\n{split_table(splits)}\n\npictures: {args.work / 'presence.png'}\n")
    return line


def _seed(args: argparse.Namespace, config: EvaluateConfig, bundle: Bundle, number: int) -> Seed:
    """A seed's people, as far as they were not asked before: instant adapters first, then trained ones."""
    key = answers_key(bundle.bundle_id, repr(config))
    kept = read_saved(saved_path(args.keep, number), key) if args.keep else None
    if kept is not None and (kept.trained is not None or not config.trained):
        return kept
    sizes = "".join(str(size) for size in config.sizes)
    folder = args.work / f"seed-{number}-{config.households}x{sizes}-{config.strangers}"
    render_seed(folder, number, config, bar(f"render {number}"))
    for seed in _scored(args, config, bundle, number, folder, kept):
        if args.keep:
            write_saved(saved_path(args.keep, number), key, seed)
    return seed


def _scored(
    args: argparse.Namespace, config: EvaluateConfig, bundle: Bundle, number: int | None, folder: Path,
    known: Seed | None = None,
) -> Iterator[Seed]:  # fmt: skip
    """The seed with its instant adapters' answers, unless they are known; then with the trained ones'."""
    homes = read_households(folder)
    label = "" if number is None else f" {number}"
    name = folder.name or "world"
    work = args.work / "answers" / name
    if known is None:
        key = answers_key(bundle.bundle_id)
        answers = ask_all(
            args.bundle, homes, work, key=key, boxes=config.processes, progress=bar(f"ask{label}")
        )
        _keep(work.with_suffix(".jsonl"), answers)
        members = sum(len(home.members) for home in homes)
        known = Seed(number, answers, None, crop_knn(homes, bar(f"baseline{label}")), members)
        yield known
    if config.trained:
        chosen = homes[:: max(1, len(homes) // config.trained)][: config.trained]
        key = answers_key(bundle.bundle_id, f"{config.trained_seconds:g}")
        trained = ask_trained(
            args.bundle, chosen, work, key=key, seconds=config.trained_seconds,
            progress=bar(f"train{label}"),
        )  # fmt: skip
        _keep(args.work / "answers" / f"{name}-trained.jsonl", trained)
        yield dataclasses.replace(known, trained=trained)


def _keep(path: Path, answers: Any) -> None:
    """Every answer, a line each, for whoever wants to look."""
    rows = [dataclasses.asdict(one) for one in (*answers.presence, *answers.descriptions)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _size_mb(bundle: Path) -> float:
    return sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
