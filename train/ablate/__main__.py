"""`python -m train.ablate`: the paper's ablations on the rendered household. Ends with one line of JSON.

Needs the work folder of `train.base` after stage `bridge`, whose frozen features serve every run; the data
table needs a base alone. Figures of runs are kept, so a second call goes on where the first one stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from runtime.contract.errors import ContentError, UsageError
from runtime.contract.settings import load_settings
from train.ablate.bridge_run import Ground, collect, run_variant
from train.ablate.evidence import evidence_table
from train.ablate.kept import Report, once, run_path
from train.ablate.language_run import run_describer
from train.ablate.speaker_run import train_speaker
from train.ablate.subject_run import run_people
from train.ablate.tables import bridge_markdown, data_markdown, evidence_markdown, language_markdown
from train.ablate.variants import (
    BRIDGE_TABLES,
    DATA_VARIANTS,
    LANGUAGE_TABLES,
    BridgeVariant,
    LanguageVariant,
)
from train.base.bridge_stage import BridgeStage
from train.base.config import BaseConfig
from train.base.run import load_stage, open_features, with_encoders
from train.base.world_data import open_world
from train.checkpoint import fingerprint, load_base
from train.program import run_program
from train.progress import bar
from train.subject.config import SubjectConfig

EVIDENCE = "evidence"
DATA = "data"
TABLES = (*BRIDGE_TABLES, *LANGUAGE_TABLES, EVIDENCE, DATA)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tables that are asked for; the exit code is the error's."""
    args = _arguments(argv)
    return run_program("train.ablate", lambda: _ablate(args))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.ablate", description=__doc__)
    parser.add_argument("config", type=Path, help="configs/train/ablate.toml")
    parser.add_argument("--work", type=Path, default=Path("out/base"), help="the work folder of train.base")
    parser.add_argument("--tables", default=",".join(TABLES), help=f"some of {', '.join(TABLES)}")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--steps", type=int, default=300, help="of each run")
    parser.add_argument(
        "--speaker-steps", type=int, default=1500,
        help="of the language model that every way to describe starts from; trained once",
    )  # fmt: skip
    parser.add_argument(
        "--base", type=Path, help="base checkpoint for the data table (default: WORK/checkpoint)"
    )
    parser.add_argument("--people", type=int, default=10, help="of each seed, in the data table")
    parser.add_argument("--out", type=Path, default=Path("out/ablate"), help="figures of runs, ablations.md")
    return parser.parse_args(argv)


def _ablate(args: argparse.Namespace) -> dict[str, Any]:
    config = load_settings(args.config, BaseConfig)
    torch.set_num_threads(config.threads)
    ground = cache(lambda: _ground(config, args.work))
    seeds = [int(seed) for seed in args.seeds.split(",")]
    args.out.mkdir(parents=True, exist_ok=True)
    texts, line = [], {"seeds": seeds, "steps": args.steps}
    for name in args.tables.split(","):
        line[name], text = _table(name, ground, seeds, args)
        texts.append(text)
    (args.out / "ablations.md").write_text("\n".join(texts), encoding="utf-8")
    return line


def _table(
    name: str, ground: Callable[[], Ground], seeds: list[int], args: argparse.Namespace
) -> tuple[Any, str]:
    """Figures of a table's runs, and the table."""
    if name == EVIDENCE:
        tables = [_evidence(ground(), args.work, seed) for seed in seeds]
        return tables, evidence_markdown(tables)
    if name == DATA:
        found = [_data(args, seed) for seed in seeds]
        runs = {one.label: [figures[one.label] for figures in found] for one in DATA_VARIANTS}
        return runs, data_markdown(runs, args.people)
    if name in LANGUAGE_TABLES:
        ways = LANGUAGE_TABLES[name]
        runs = {one.label: [_described(ground(), one, seed, args) for seed in seeds] for one in ways.variants}
        return runs, language_markdown(ways, runs, args.steps, args.speaker_steps)
    if name in BRIDGE_TABLES:
        table = BRIDGE_TABLES[name]
        runs = {one.label: [_bridge(ground(), one, seed, args) for seed in seeds] for one in table.variants}
        return runs, bridge_markdown(table, runs, args.steps)
    raise UsageError(f"there is no table {name!r}.", f"Tables: {', '.join(TABLES)}.")


def _ground(config: BaseConfig, work: Path) -> Ground:
    tracks = work / "tracks.safetensors"
    if not tracks.exists():
        raise ContentError(f"{tracks} is not there.", "Run `python -m train.base` up to its stage bridge.")
    features = open_features(config, work, with_encoders(config, work))
    return Ground(config, open_world(work / "world"), features, tracks)


def _bridge(ground: Ground, variant: BridgeVariant, seed: int, args: argparse.Namespace) -> dict[str, float]:
    return once(
        run_path(args.out, variant, ground.tracks, seed, str(args.steps)),
        f"{variant.label[:14]} {seed}",
        lambda report: run_variant(ground, variant, seed, args.steps, report),
    )


def _described(
    ground: Ground, variant: LanguageVariant, seed: int, args: argparse.Namespace
) -> dict[str, float]:
    bridge, speaker = args.work / "bridge.safetensors", args.work / "speaker.safetensors"

    def run(report: Report) -> dict[str, float]:
        train_speaker(ground, bridge, speaker, args.speaker_steps, bar("language model"))
        return run_describer(ground, variant, bridge, seed, args.steps, report, speaker)

    path = run_path(args.out, variant, bridge, seed, f"{args.steps}-on{args.speaker_steps}")
    return once(path, f"{variant.label[:14]} {seed}", run)


def _data(args: argparse.Namespace, seed: int) -> dict[str, dict[str, float]]:
    """By variant; kept like every run, for the base that it is about."""
    folder = args.base or args.work / "checkpoint"
    base = fingerprint(folder)

    def run(report: Report) -> dict[str, dict[str, float]]:
        model, _ = load_base(folder)
        return run_people(model, base, DATA_VARIANTS, seed, args.people, SubjectConfig(), report)

    return once(args.out / f"data-{base[:12]}-{args.people}-seed{seed}.json", f"data {seed}", run)


def _evidence(ground: Ground, work: Path, seed: int) -> dict[str, dict[str, float]]:
    """Of the base's own bridge, fully trained; the seed draws other episodes of the people held out."""
    model = with_encoders(ground.config, work)
    maker = ground.maker(held_out=True, token_only=0.0)
    stage = BridgeStage(model.bridge, model.enrol, maker, batch=1, subjects=1, seed=seed)
    load_stage(stage, work / "bridge.safetensors")
    return evidence_table(collect(stage.eval(), maker, seed, ground.batches), seed)


if __name__ == "__main__":
    sys.exit(main())
