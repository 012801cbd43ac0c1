"""`python -m train.merge`: base and adapters become the household's model, and prove that nothing changed.

Low-rank changes of the language model (LoRA), where a training left them, are folded into its weights, which
makes a base of the household's own: adapters are written again under its fingerprint. People are stacked into
slots. The merged model must answer as the unmerged one: presence of each person bit for bit the same as alone
at the same number of slots, folded logits within 1e-6 (float32) of the unfolded ones.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import MistralForCausalLM

from runtime.adapters import read_adapter, write_adapter
from runtime.contract.adapter import Adapter
from runtime.contract.errors import BundleError, PvchatError, UsageError
from train.checkpoint import (
    CALIBRATION,
    SIZES,
    TOKENIZER,
    WEIGHTS,
    adapter_shapes,
    fingerprint,
    load_base,
    save_base,
)
from train.model.bridge import BridgeInputs
from train.model.pvchat import PVChat

SLOT_COUNTS = (2, 4, 8)
HOUSEHOLD = "household.safetensors"
FOLD_TOLERANCE = 1e-6


def stack(adapters: Sequence[Adapter], width: int) -> dict[str, torch.Tensor]:
    """Adapters in slots, (S, ...): the smallest of 2, 4 and 8 slots; `subject_valid` says which are taken.

    Args:
        width: E, of an embedding.
    """
    slots = next((count for count in SLOT_COUNTS if count >= len(adapters)), 0)
    if not adapters or not slots:
        raise UsageError(f"a household has 1 to {SLOT_COUNTS[-1]} people, got {len(adapters)}.")
    names = ("queries", "soft_tokens", "token", "delta_a", "delta_b")
    stacked = {
        name: torch.zeros(slots, *adapters[0].arrays[name].shape, dtype=torch.float32) for name in names
    }
    templates = torch.zeros(slots, width)
    valid = torch.zeros(slots)
    for slot, adapter in enumerate(adapters):
        for name in names:
            stacked[name][slot] = torch.from_numpy(adapter.arrays[name])
        template = adapter.template("head")
        if template is not None:
            templates[slot] = torch.from_numpy(template)
        valid[slot] = 1.0
    return {**stacked, "templates": templates, "subject_valid": valid}


def fold_lora(language: MistralForCausalLM, lora: Path) -> tuple[MistralForCausalLM, float]:
    """Fold a LoRA folder (peft's format) into the language model.

    Folded in float64 and rounded to float32 once, so that what is compared is the folding, not two orders of
    summation.

    Returns:
        the folded model, and the largest difference of logits on random prompts, at most 1e-6 of their scale.

    Raises:
        BundleError: the folded model does not agree.
    """
    from peft import PeftModel

    unfolded = PeftModel.from_pretrained(language, str(lora)).eval().double()
    ids = torch.randint(0, language.config.vocab_size, (4, 24), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = unfolded(ids).logits
        folded = unfolded.merge_and_unload().float()
        after = folded.double()(ids).logits
        folded = folded.float()
    gap = float((before - after).abs().max() / before.abs().max().clamp(min=1.0))
    if gap > FOLD_TOLERANCE:
        raise BundleError(
            f"folded LoRA differs by {gap:.1e}, allowed is {FOLD_TOLERANCE:.0e}.", "Train it again."
        )
    return folded, gap


@torch.no_grad()
def check_stack(model: PVChat, stacked: dict[str, torch.Tensor], people: int) -> None:
    """Presence of each person among the others equals presence alone, bit for bit, at the same shape.

    Raises:
        BundleError: somebody's evidence depends on who else is there.
    """
    config = model.bridge.config
    generator = torch.Generator().manual_seed(0)
    cells = config.scene_rows * config.scene_columns
    scene = torch.randn(1, config.frames, cells, config.scene_dim, generator=generator)
    embed = torch.nn.functional.normalize(torch.randn(1, 32, config.embed_dim, generator=generator), dim=-1)
    geom = torch.rand(1, 32, config.geom_dim, generator=generator)
    signs = torch.randn(1, 32, config.signs_dim, generator=generator)

    def presence(subjects: dict[str, torch.Tensor]) -> torch.Tensor:
        parts = {name: part[None] for name, part in subjects.items() if name not in ("soft_tokens", "token")}
        inputs = BridgeInputs(
            scene=scene,
            scene_valid=torch.ones(1),
            embed=embed,
            geom=geom,
            signs=signs,
            valid=torch.ones(1, 32),
            **parts,
        )
        out: torch.Tensor = model.bridge(inputs).presence[0]
        return out

    together = presence(stacked)
    for slot in range(people):
        alone = {name: torch.zeros_like(part) for name, part in stacked.items()}
        for name, part in stacked.items():
            alone[name][slot] = part[slot]
        if not torch.equal(presence(alone)[slot], together[slot]):
            raise BundleError(f"slot {slot} answers differently alone than among {people} people.")


def merge(base: Path, adapters: Sequence[Path], out: Path, lora: Path | None = None) -> dict[str, object]:
    """Write the household's checkpoint folder: the base's files, `adapters/` and `household.safetensors`."""
    model, sizes = load_base(base)
    mark, shapes = fingerprint(base), adapter_shapes(sizes)
    people = [read_adapter(path, base=mark, shapes=shapes)[0] for path in adapters]
    if len({adapter.subject_id for adapter in people}) != len(people):
        raise UsageError("two of the adapters are for the same person.", "Give one adapter a person.")
    stacked = stack(people, shapes["E"])
    check_stack(model, stacked, len(people))
    out.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, SIZES, TOKENIZER, CALIBRATION):
        if (base / name).exists():
            shutil.copyfile(base / name, out / name)
    gap = 0.0
    if lora is not None:
        model.language, gap = fold_lora(model.language, lora)
        mark = save_base(out, model, sizes, (base / TOKENIZER).read_text(encoding="utf-8"))
    (out / "adapters").mkdir(exist_ok=True)
    for adapter in people:
        write_adapter(
            out / "adapters" / f"{adapter.subject_id}.safetensors", dataclasses.replace(adapter, base=mark)
        )
    order = json.dumps([adapter.subject_id for adapter in people])
    save_file(stacked, out / HOUSEHOLD, metadata={"subjects": order, "base": mark})
    slots = int(stacked["subject_valid"].shape[0])
    return {"people": len(people), "slots": slots, "fold_gap": gap, "base": mark}


def main(argv: list[str] | None = None) -> int:
    """Merge, print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m train.merge", description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="base checkpoint folder")
    parser.add_argument("--adapter", type=Path, action="append", required=True, help="once a person")
    parser.add_argument("--lora", type=Path, help="folder of a LoRA to fold into the language model")
    parser.add_argument("--out", type=Path, required=True, help="the household's checkpoint folder")
    args = parser.parse_args(argv)
    try:
        line = merge(args.base, args.adapter, args.out, args.lora)
    except PvchatError as error:
        sys.stderr.write(f"train.merge: {error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
