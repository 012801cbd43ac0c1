"""`python -m train.base CONFIG --work DIR --out DIR`: makes the base; every stage resumes where it was."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch

from runtime.contract.settings import load_settings
from train.base.config import BaseConfig
from train.base.encoders import TAKEN, start_from, take_encoders
from train.base.refit import recalibrate, refit_parts
from train.base.run import STAGES, run_stage
from train.base.world_data import open_world
from train.program import run_program
from train.progress import bar


def main(argv: list[str] | None = None) -> int:
    """Run all stages, or one; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m train.base", description=__doc__)
    parser.add_argument("config", type=Path, help="configs/train/tiny.toml")
    parser.add_argument(
        "--work", type=Path, default=Path("out/base"), help="rendered set, features, checkpoints"
    )
    parser.add_argument("--only", choices=STAGES, help="run one stage")
    parser.add_argument(
        "--encoders-from", type=Path, metavar="CHECKPOINT",
        help="take encoders of this base; they are not trained again",
    )  # fmt: skip
    parser.add_argument(
        "--take", nargs="+", choices=TAKEN, default=list(TAKEN),
        help="which encoders --encoders-from takes (vision: of scenes); all three if not said",
    )  # fmt: skip
    parser.add_argument(
        "--start-from", type=Path, metavar="CHECKPOINT",
        help="encoders that are trained begin as those of this base",
    )  # fmt: skip
    parser.add_argument(
        "--refit-parts", type=Path, metavar="CHECKPOINT",
        help="only render, and write this base to WORK/checkpoint with parts of bodies read anew",
    )  # fmt: skip
    parser.add_argument(
        "--recalibrate", type=Path, metavar="CHECKPOINT",
        help="only write this base to WORK/checkpoint with presence calibrated anew; its weights stay",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, help="torch threads; default from the configuration")
    args = parser.parse_args(argv)
    return run_program("train.base", lambda: _make(args))


def _make(args: argparse.Namespace) -> dict[str, Any]:
    config = load_settings(args.config, BaseConfig)
    torch.set_num_threads(args.threads or config.threads)
    if args.refit_parts:
        run_stage("render", config, args.work)
        world = open_world(args.work / "world")
        return {
            "work": str(args.work),
            **refit_parts(args.refit_parts, config, world, args.work / "checkpoint"),
        }
    if args.recalibrate:
        figures = recalibrate(args.recalibrate, config, args.work / "checkpoint", bar("calibration"))
        return {"work": str(args.work), **figures}
    stages = [args.only] if args.only else list(STAGES)
    if args.encoders_from:
        take_encoders(args.encoders_from, config.model, args.work, args.take)
        stages = [stage for stage in stages if stage not in args.take]
    if args.start_from:
        start_from(args.start_from, config.model, args.work)
    began = time.monotonic()
    for stage in stages:
        sys.stderr.write(f"stage {stage}\n")
        run_stage(stage, config, args.work)
    return {"work": str(args.work), "stages": stages, "seconds": round(time.monotonic() - began, 1)}


if __name__ == "__main__":
    sys.exit(main())
