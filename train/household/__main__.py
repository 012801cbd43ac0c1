"""`python -m train.household`: all members jointly, the paper's two stages; ends with one JSON line.

OUT/base is the household's own base, OUT/lora the low-rank change of its language model, OUT/adapters one
file a member; `python -m train.merge --base OUT/base --lora OUT/lora --adapter …` makes one model of them.
A run that was killed goes on where it was when the same command is given again.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer

from runtime.adapters import read_adapter, write_adapter
from runtime.contract.adapter import Adapter
from runtime.contract.errors import UsageError
from runtime.contract.pixels import PixelSpec
from runtime.contract.settings import load_settings
from runtime.video import read_video
from train.checkpoint import CALIBRATION, TOKENIZER, adapter_shapes, fingerprint, load_base, save_base
from train.fit import FitConfig, fit
from train.household.config import HouseholdConfig
from train.household.pictures import draw_curves, draw_heads, head_activity
from train.household.stage import HouseholdStage, Members, learned_adapters
from train.household.windows import gather
from train.losses import RoutingLoss
from train.model.pvchat import PVChat
from train.program import run_program
from train.progress import bar, steps

_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_MOST = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Train; the exit code is the error's."""
    args = _arguments(argv)
    return run_program("train.household", lambda: _train(args))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.household", description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="base checkpoint folder")
    parser.add_argument(
        "--adapter", type=Path, action="append", required=True, help="instant adapter, once a member"
    )
    parser.add_argument(
        "--clip", type=Path, action="append", required=True, help="each member's clip, in the same order"
    )
    parser.add_argument("--out", type=Path, required=True, help="base, LoRA, adapters, curves")
    parser.add_argument("--config", type=Path, help="default: built-in, as configs/train/household.toml")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


def _train(args: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    torch.set_num_threads(args.threads)
    config = load_settings(args.config, HouseholdConfig) if args.config else HouseholdConfig()
    instant, clips = _people(args)
    torch.manual_seed(config.seed)
    model, sizes = load_base(args.base)
    tokenizer = Tokenizer.from_file(str(args.base / TOKENIZER))
    lora = with_lora(model, config)
    members, routing = Members(instant, config.seed), RoutingLoss()
    spec = PixelSpec()
    frames = [read_video(clip, fps=spec.window_fps).clip.frames for clip in clips]
    epochs = config.epochs_each * len(instant)
    losses = []
    stage: HouseholdStage | None = None
    for name, count in (("images", config.image_epochs), ("video", epochs - config.image_epochs)):
        still = name == "images"
        lessons = gather(
            model,
            list(zip(instant, frames, strict=True)),
            spec,
            config,
            bar(f"clips for {name}"),
            still=still,
        )
        stage = HouseholdStage(model, tokenizer, members, routing, lessons, config, vision_learns=not still)
        before = stage.held_out()
        run(stage, count * epoch_steps(stage, config), args.out / "work", name, config)
        losses.append({"stage": name, "before": round(before, 4), "after": round(stage.held_out(), 4)})
    if stage is None:
        raise UsageError("there is no stage to train.")
    mark = _write(args, model, sizes, lora, members, instant)
    _draw(args.out, stage)
    return {
        "people": len(instant),
        "epochs": epochs,
        "base": mark,
        "held_out_loss": losses,
        "seconds": round(time.monotonic() - began, 1),
    }


def _people(args: argparse.Namespace) -> tuple[list[Adapter], list[Path]]:
    if len(args.adapter) != len(args.clip):
        raise UsageError(
            f"{len(args.adapter)} adapters and {len(args.clip)} clips: give one clip an adapter."
        )
    if not 1 <= len(args.adapter) <= _MOST:
        raise UsageError(f"a household has 1 to {_MOST} people, got {len(args.adapter)}.")
    _, sizes = load_base(args.base)
    mark, shapes = fingerprint(args.base), adapter_shapes(sizes)
    found = [read_adapter(path, base=mark, shapes=shapes)[0] for path in args.adapter]
    if len({one.subject_id for one in found}) != len(found):
        raise UsageError("two of the adapters are for the same person.", "Give one adapter a person.")
    return found, list(args.clip)


def with_lora(model: PVChat, config: HouseholdConfig) -> PeftModel:
    """Put a low-rank change, zero at the start, into the model's language part, in place."""
    settings = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=list(_TARGETS))
    return get_peft_model(model.language, settings)


def epoch_steps(stage: HouseholdStage, config: HouseholdConfig) -> int:
    """Steps in which every window of the members comes once on average."""
    own = sum(len(part) for part in stage.lessons.own)
    return max(1, math.ceil(own / max(1, config.batch // 2)))


def run(stage: HouseholdStage, count: int, work: Path, name: str, config: HouseholdConfig) -> None:
    """One stage; resumes its checkpoint."""
    if not count:
        return
    work.mkdir(parents=True, exist_ok=True)
    settings = FitConfig(
        steps=count, learning_rate=config.rates.subjects, warmup_steps=min(config.warmup_steps, count),
        weight_decay=0.0, clip=config.clip, save_every_s=30.0,
    )  # fmt: skip
    stage.train()
    stage.model.vision.eval()
    fit(
        stage.learned(), stage.groups(), stage.loss, settings, checkpoint=work / f"{name}.safetensors",
        metrics=work / f"{name}.jsonl", progress=steps(name, count), after_step=stage.routing.after_step,
        log_every=10,
    )  # fmt: skip
    stage.eval()


def _write(
    args: argparse.Namespace, model: PVChat, sizes: Any, lora: PeftModel, members: Members,
    instant: Sequence[Adapter],
) -> str:  # fmt: skip
    """The household's base (vision and bridge as learned), the LoRA beside it, and adapters of that base."""
    fresh, _ = load_base(args.base)
    fresh.vision.load_state_dict(model.vision.state_dict())
    fresh.bridge.load_state_dict(model.bridge.state_dict())
    mark = save_base(args.out / "base", fresh, sizes, (args.base / TOKENIZER).read_text(encoding="utf-8"))
    if (args.base / CALIBRATION).exists():
        (args.out / "base" / CALIBRATION).write_bytes((args.base / CALIBRATION).read_bytes())
    lora.save_pretrained(str(args.out / "lora"))
    (args.out / "adapters").mkdir(exist_ok=True)
    release = max(one.release for one in instant) + 1
    for adapter in learned_adapters(members, instant, mark, release):
        write_adapter(args.out / "adapters" / f"{adapter.subject_id}.safetensors", adapter)
    return mark


def _draw(out: Path, stage: HouseholdStage) -> None:
    draw_curves(out / "curves.png", [out / "work" / f"{name}.jsonl" for name in ("images", "video")])
    activity = [
        (
            f"member {slot + 1}",
            head_activity(stage, own, slot),
            head_activity(stage, stage.lessons.held_others, slot),
        )
        for slot, own in enumerate(stage.lessons.held_own)
    ]
    draw_heads(out / "heads.png", activity)


if __name__ == "__main__":
    sys.exit(main())
