"""`python -m train.subject`: train one person's adapter further; it is kept only if it is not worse."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import torch

from runtime.adapters import read_adapter, write_adapter
from runtime.contract.pixels import PixelSpec
from runtime.contract.settings import load_settings
from runtime.video import read_video
from train.checkpoint import CALIBRATION, adapter_shapes, fingerprint, load_base, read_calibration
from train.program import run_program
from train.progress import bar
from train.subject.config import SubjectConfig
from train.subject.evidence import bridge_evidence
from train.subject.footage import head_template, lessons, other_windows, own_windows
from train.subject.learn import learn


def main(argv: list[str] | None = None) -> int:
    """Train, compare with the instant adapter on held-out views, write the better one."""
    args = _arguments(argv)
    began = time.monotonic()
    return run_program("train.subject", lambda: _train(args, began), args.json)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.subject", description=__doc__)
    parser.add_argument(
        "--base", type=Path, required=True, help="base checkpoint folder (in the base bundle)"
    )
    parser.add_argument("--clip", type=Path, required=True, help="the person's reference clip")
    parser.add_argument("--adapter", type=Path, required=True, help="the instant adapter")
    parser.add_argument("--out", type=Path, required=True, help="where the trained adapter goes")
    parser.add_argument("--release", type=int, required=True, help="release number of the trained adapter")
    parser.add_argument("--config", type=Path, help="default: built-in, as configs/train/subject.toml")
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the result line here")
    return parser.parse_args(argv)


def _train(args: argparse.Namespace, began: float) -> dict[str, object]:
    torch.set_num_threads(args.threads)
    config = load_settings(args.config, SubjectConfig) if args.config else SubjectConfig()
    torch.manual_seed(config.seed)
    model, sizes = load_base(args.base)
    evidence = bridge_evidence(read_calibration(args.base / CALIBRATION))
    instant, _ = read_adapter(args.adapter, base=fingerprint(args.base), shapes=adapter_shapes(sizes))
    spec = PixelSpec()
    frames = read_video(args.clip, fps=spec.window_fps).clip.frames
    until = began + args.seconds * 0.92
    template = head_template(instant)
    sys.stderr.write("looking at the clip and at rendered people who are somebody else\n")
    still, moving = (
        own_windows(model, frames, template, spec, config, still=still) for still in (True, False)
    )
    others = other_windows(model, template, spec, config)
    stages = [
        ("image", lessons(still, others, config), config.image_steps),
        ("video", lessons(moving, others, config), config.video_steps),
    ]
    outcome = learn(model, instant, stages, config, evidence=evidence, until=until, progress=bar("training"))
    kept = outcome.steps > 0 and outcome.trained_loss <= outcome.instant_loss
    arrays = {**instant.arrays, **(outcome.arrays if kept else {})}
    trained = dataclasses.replace(
        instant, kind="trained" if kept else instant.kind, release=args.release, arrays=arrays
    )
    write_adapter(args.out, trained)
    return {
        "subject": instant.subject_id,
        "release": args.release,
        "kept": "trained" if kept else "instant",
        "steps": outcome.steps,
        "held_out_loss_instant": round(outcome.instant_loss, 4),
        "held_out_loss_trained": round(outcome.trained_loss, 4),
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
