"""Claims about the joint training of a household, on the shipped base and two rendered members."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from runtime.adapters import read_adapter, write_adapter
from runtime.contract.pixels import PixelSpec
from runtime.video import read_video
from train.checkpoint import TOKENIZER, adapter_shapes, fingerprint, load_base
from train.household.__main__ import epoch_steps, main, with_lora
from train.household.config import HouseholdConfig
from train.household.stage import HouseholdStage, Members
from train.household.windows import Lessons, gather
from train.losses import RoutingLoss
from train.merge import merge
from train.subject.instant import instant_adapter
from train.world.dataset import reference_script
from train.world.files import write_clip
from train.world.household import sample_household

ROOT = Path(__file__).parents[2]
BASE = ROOT / "runtime" / "base_bundle" / "checkpoint"
QUICK = "image_epochs = 1\nepochs_each = 2\nbatch = 4\nothers = 2\nrehearsal = 2\n"
CONFIG = HouseholdConfig(epochs_each=2, batch=4, others=2, rehearsal=2)


@dataclasses.dataclass(frozen=True)
class Home:
    clips: list[Path]
    adapters: list[Path]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("home")
    world = sample_household(5, members=2)
    model, _ = load_base(BASE)
    spec, clips, adapters = PixelSpec(), [], []
    for number, member in enumerate(world.members):
        script = dataclasses.replace(reference_script(world, member), fps=spec.window_fps, duration_s=3.0)
        write_clip(folder, script)
        clips.append(folder / f"{script.clip_id}.mp4")
        frames = read_video(clips[-1], fps=spec.window_fps).clip.frames
        adapters.append(folder / f"{number}.safetensors")
        write_adapter(adapters[-1], instant_adapter(model, frames, fingerprint(BASE), f"s{number:032x}"))
    return Home(clips, adapters)


def stage_of(home: Home, *, still: bool) -> HouseholdStage:
    torch.manual_seed(0)
    model, sizes = load_base(BASE)
    with_lora(model, CONFIG)
    shapes = adapter_shapes(sizes)
    instant = [read_adapter(path, base=fingerprint(BASE), shapes=shapes)[0] for path in home.adapters]
    spec = PixelSpec()
    frames = [read_video(clip, fps=spec.window_fps).clip.frames for clip in home.clips]
    lessons: Lessons = gather(
        model, list(zip(instant, frames, strict=True)), spec, CONFIG, lambda done, total: None, still=still
    )
    tokenizer = Tokenizer.from_file(str(BASE / TOKENIZER))
    return HouseholdStage(
        model, tokenizer, Members(instant, 1), RoutingLoss(), lessons, CONFIG, vision_learns=not still
    )


def arguments(home: Home, out: Path, settings: str = QUICK) -> list[str]:
    out.parent.mkdir(parents=True, exist_ok=True)
    config = out.with_suffix(".toml")
    config.write_text(settings, encoding="utf-8")
    people = [word for path in home.adapters for word in ("--adapter", str(path))]
    clips = [word for path in home.clips for word in ("--clip", str(path))]
    return [
        "--base",
        str(BASE),
        *people,
        *clips,
        "--out",
        str(out),
        "--config",
        str(config),
        "--threads",
        "1",
    ]


@pytest.fixture(scope="module")
def made(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    assert main(arguments(home, out)) == 0
    return out


def test_it_makes_a_base_of_its_own_with_adapters_that_fit_it_alone(home: Home, made: Path) -> None:
    mark = fingerprint(made / "base")
    assert mark != fingerprint(BASE)
    found = sorted((made / "adapters").iterdir())
    assert len(found) == len(home.adapters)
    for path in found:
        adapter, _ = read_adapter(path, base=mark, shapes=adapter_shapes(load_base(made / "base")[1]))
        assert (adapter.kind, adapter.release) == ("trained", 2)


def test_merged_model_is_the_unmerged_one(made: Path, tmp_path: Path) -> None:
    adapters = sorted((made / "adapters").iterdir())
    line = merge(made / "base", adapters, tmp_path / "merged", made / "lora")
    assert line["people"] == 2
    assert float(str(line["fold_gap"])) <= 1e-6


def test_curves_and_heads_are_drawn_and_every_loss_is_kept(made: Path) -> None:
    for name in ("curves.png", "heads.png"):
        assert (made / name).stat().st_size > 5000
    rows = [json.loads(line) for line in (made / "work" / "video.jsonl").read_text().splitlines()]
    assert {"presence", "spr", "hae", "answers", "leash", "rehearsal"} <= set(rows[-1])


def test_killed_run_goes_on_with_the_same_losses(home: Home, made: Path, tmp_path: Path) -> None:
    """A run that ended after stage 1 and one step of stage 2 gives the same second half."""
    out = tmp_path / "again"
    shutil.copytree(made / "work", out / "work")
    (out / "work" / "video.safetensors").unlink()
    (out / "work" / "video.jsonl").unlink()
    assert main(arguments(home, out)) == 0
    first, again = (
        [
            {k: v for k, v in json.loads(line).items() if k != "seconds"}
            for line in path.read_text().splitlines()
        ]
        for path in (made / "work" / "video.jsonl", out / "work" / "video.jsonl")
    )
    for one, other in zip(first, again, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_vision_is_frozen_in_the_image_stage_and_its_last_block_learns_in_the_video_stage(home: Home) -> None:
    for still in (True, False):
        stage = stage_of(home, still=still).train()
        stage.model.vision.eval()
        torch.stack([part.sum() for part in stage.loss(0).values()]).sum().backward()  # type: ignore[no-untyped-call]
        moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in stage.blocks.parameters()]
        assert any(moved) is not still
        before = list(stage.model.vision.blocks)[: -CONFIG.vision_blocks]
        assert all(p.grad is None for block in before for p in block.parameters())
        assert all(p.grad is None for p in stage.model.head.parameters())
        assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in stage.lora.values())
        assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in stage.routers.parameters())


def test_another_members_window_moves_nobody_elses_rows(home: Home) -> None:
    """Losses of a batch of the first member's windows alone leave the second member's rows where they are."""
    stage = stage_of(home, still=True).train()
    lessons = stage.lessons
    alone = dataclasses.replace(lessons, own=[lessons.own[0], lessons.own[0]], others=[], rehearsal=[])
    stage.lessons = alone
    rng = np.random.default_rng(0)
    windows = [alone.own[0][0]] * 2
    out = stage.look(windows)
    present, weight = torch.tensor([[1.0, 0.0]] * 2), torch.tensor([[2.0, 0.0]] * 2)
    told = torch.nn.functional.binary_cross_entropy_with_logits(out.presence, present, weight=weight)
    (told + stage._answers(out, present, weight, rng)).backward()  # type: ignore[no-untyped-call]
    gradient = stage.members.rows["queries"].grad
    assert gradient is not None
    assert float(gradient[0].abs().sum()) > 0
    windows_of, present_of, weight_of = stage_of(home, still=True)._batch(rng)
    for row in range(len(windows_of)):
        here = present_of[row] > 0
        assert (
            bool((weight_of[row][~here] == 0).all()) if bool(here.any()) else bool((weight_of[row] > 0).all())
        )


def test_epochs_grow_with_the_members_as_in_the_paper(home: Home) -> None:
    assert HouseholdConfig().epochs_each * np.array([1, 2, 3]).tolist()[2] == 24
    stage = stage_of(home, still=True)
    own = sum(len(part) for part in stage.lessons.own)
    assert epoch_steps(stage, CONFIG) == -(-own // 2)


def test_clip_for_each_adapter_is_wanted(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(home, tmp_path / "no")
    del words[words.index("--clip") : words.index("--clip") + 2]
    assert main(words) == 2
    assert "give one clip an adapter" in capsys.readouterr().err
