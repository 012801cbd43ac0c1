"""`python -m train.augment.dataset.household`: datasets of two or three people to one about all of them.

For a household's own base (`train.household`), the only training in which members may see each other; never
for one person's adapter. Every combination of people is shown equally often, nobody among them: clips of
several people are clips of each, side by side. In every clip all members are looked for again; where one is
missing, or one is seen who should not be, it is dropped and counted. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.errors import ContentError, UsageError
from runtime.contract.settings import load_settings
from runtime.people.views import PersonView
from runtime.video import read_video
from train.augment.bank_facts import MAX_ASKED, Fact
from train.augment.dataset.ask import Row, fact_of, row_of
from train.augment.dataset.attributes import Attributes
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.eyes import Eyes, likeness, most_alike, open_eyes, tracks_of
from train.augment.dataset.folder import INDEX, Folder, Made
from train.augment.dataset.rewrite import finished
from train.augment.questions import DESCRIBED
from train.augment.vary.shot import Shot
from train.program import run_program
from train.progress import bar

Frames = NDArray[np.uint8]
_HEIGHT_PX = 480
_WIDE, _HEADS = 0.75, 4.0
"""A person beside others gets a strip that wide: a share of the height, and heads, at least."""
_APART = "A household whose members look that much alike cannot be trained from these clips."


@dataclass(frozen=True, slots=True)
class Member:
    """One person's dataset.

    Attributes:
        name: the label in its lines. source: what its eyes look at.
        clips: that are kept. looks: of the person, by source clip. views: of the person in the source clips.
    """

    name: str
    source: str
    root: Path
    clips: tuple[Made, ...]
    looks: dict[str, Attributes]
    views: tuple[PersonView, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Make it; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m train.augment.dataset.household", description=__doc__)
    parser.add_argument("--dataset", type=Path, action="append", required=True, help="2 or 3 times")
    parser.add_argument("--out", type=Path, required=True, help="the household's folder")
    parser.add_argument("--clips-each", type=int, default=8, help="of each combination of people")
    parser.add_argument("--base", type=Path, help="the base checkpoint of datasets of rendered people")
    parser.add_argument("--config", type=Path, help="as configs/train/augment.toml")
    args = parser.parse_args(argv)
    return run_program("train.augment.dataset.household", lambda: _make(args))


def _make(args: argparse.Namespace) -> dict[str, Any]:
    config = load_settings(args.config, AugmentConfig) if args.config else AugmentConfig()
    eyes = open_eyes(args.base)
    return make_household(args.dataset, args.out, eyes, config, args.clips_each)


def make_household(
    roots: Sequence[Path], out: Path, eyes: Eyes, config: AugmentConfig, clips_each: int
) -> dict[str, Any]:
    """See the module; what was made, in numbers.

    Raises:
        UsageError: not two or three datasets, or two of one name.
        ContentError: a folder is no dataset, or two members are too much alike.
    """
    if not 2 <= len(roots) <= MAX_ASKED or clips_each < 1:
        raise UsageError(f"a household's dataset is made of 2 to {MAX_ASKED} datasets, got {len(roots)}.")
    members = [read_member(root, eyes, config) for root in roots]
    _check(members, eyes)
    folder, rows, progress = Folder(out), list[Row](), bar("household")
    made: list[Made] = []
    sizes = range(len(members) + 1)
    groups = [group for size in sizes for group in combinations(range(len(members)), size)]
    for group in groups:
        for number in range(clips_each):
            rng = np.random.default_rng((config.seed, 8, *group, number, len(group)))
            clip, facts = _clip(folder, members, group, rng, eyes, config)
            made.append(clip)
            if clip.kept:
                rows += _rows(clip, facts, [member.name for member in members], rng, config)
            progress(len(made), len(groups) * clips_each)
    rows, lost = finished(rows, config)
    shown = Counter(clip.origin or "nobody" for clip in made if clip.kept)
    counts = {
        **{f"clips {who}": count for who, count in sorted(shown.items())},
        "clips dropped": sum(not clip.kept for clip in made), "questions": len(rows),
        **({"rewritings dropped": lost} if config.rewriter else {}),
    }  # fmt: skip
    about = {"subjects": [member.name for member in members], "seed": config.seed, "counts": counts}
    folder.finish(about, rows, _sheet(about))
    return {"out": str(out), **counts}


def read_member(root: Path, eyes: Eyes, config: AugmentConfig) -> Member:
    """One person's dataset, and how the person looks to these eyes.

    Raises:
        ContentError: it is none, or was made with other eyes.
    """
    try:
        index = json.loads((root / INDEX).read_text(encoding="utf-8"))
        clips = tuple(Made(**one) for one in index["clips"] if one["kept"])
        names = {field.name for field in fields(Attributes)}
        looks = {
            clip: Attributes(**{name: value for name, value in one.items() if name in names})
            for clip, one in index["attributes"].items()
        }
        name, source = str(index["subject"]), str(index["source"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContentError(f"{root} is no dataset of a person: {error}.", "Make it again.") from error
    if source != eyes.source:
        raise ContentError(
            f"{root} is of {source}s, not {eyes.source}s.", "Give --base for rendered people alone."
        )
    views: list[PersonView] = []
    for clip in clips:
        if clip.recipe == "clip":
            frames = read_video(root / clip.file, fps=config.fps).clip.frames
            tracks = sorted(tracks_of(eyes, frames, config.fps), key=len)
            views += tracks[-1] if tracks else []
    if not views:
        raise ContentError(f"{root} holds no clip of the person as it was filmed.", "Make it again.")
    return Member(name, source, root, clips, looks, tuple(views))


def _check(members: Sequence[Member], eyes: Eyes) -> None:
    for one, other in combinations(members, 2):
        if one.name == other.name:
            raise UsageError(f"two datasets are of {one.name!r}.", "Make each with a --subject of its own.")
        if (alike := likeness(eyes, one.views, other.views)) >= eyes.same_above:
            raise ContentError(f"{one.name} and {other.name} look like one person ({alike:.2f}).", _APART)


def _clip(
    folder: Folder, members: Sequence[Member], group: Sequence[int], rng: np.random.Generator, eyes: Eyes,
    config: AugmentConfig,
) -> tuple[Made, list[Fact]]:  # fmt: skip
    """A clip that shows these members and nobody else of them; nobody at all: somebody else."""
    if group:
        parts = [(members[slot], _any(members[slot].clips, rng, there=True)) for slot in group]
    else:
        owner = members[int(rng.integers(len(members)))]
        parts = [(owner, _any(owner.clips, rng, there=False))]
    placed = [parts[int(place)] for place in rng.permutation(len(parts))]

    def make() -> tuple[Shot, float]:
        frames = beside([_read(owner, part, eyes, config.fps) for owner, part in placed])
        heads = np.full((len(frames), 4), np.nan, dtype=np.float32)
        alike = [
            likeness(eyes, member.views, most_alike(eyes, frames, config.fps, member.views))
            for member in members
        ]
        seen = {slot for slot, value in enumerate(alike) if value >= eyes.same_above}
        least = min((alike[slot] for slot in group), default=1.0)
        return Shot(frames, heads, config.fps), least if seen <= set(group) else -1.0

    clip = folder.clip(
        ("household", f"{config.fps:g}", *(part.sha256 for _, part in placed)), make,
        lambda alike: alike >= eyes.same_above,
        recipe="beside", origin="+".join(members[slot].name for slot in group),
        role="positive" if group else "random",
    )  # fmt: skip
    shown = dict(zip(group, (part for _, part in parts), strict=False))
    facts = [
        fact_of(shown[slot], member.looks.get(shown[slot].origin, Attributes()), slot)
        if slot in shown
        else Fact(slot, False)
        for slot, member in enumerate(members)
    ]
    return clip, facts


def _any(clips: Sequence[Made], rng: np.random.Generator, *, there: bool) -> Made:
    pool = [clip for clip in clips if (clip.role == "positive") is there]
    if not pool:
        what = "shows the person" if there else "shows somebody else"
        raise ContentError(f"a dataset has no clip that {what}.", "Make it with the usual configuration.")
    return pool[int(rng.integers(len(pool)))]


def _read(member: Member, clip: Made, eyes: Eyes, fps: float) -> Frames:
    """The strip of a clip around its person; the whole clip where that one is not seen."""
    frames = read_video(member.root / clip.file, fps=fps).clip.frames
    found = most_alike(eyes, frames, fps, member.views)
    if not found:
        return frames
    heads = np.array([view.head for view in found])
    middle = float(np.median(heads[:, 0] + heads[:, 2] / 2))
    wide = max(_WIDE * frames.shape[1], _HEADS * float(np.median(heads[:, 2])))
    start = round(min(max(0.0, middle - wide / 2), max(0.0, frames.shape[2] - wide)))
    return frames[:, :, start : start + round(wide)]


def beside(clips: Sequence[Frames]) -> Frames:
    """Clips side by side, as high as the lowest (480 pixels at most), as long as the shortest."""
    count = min(len(frames) for frames in clips)
    height = min(_HEIGHT_PX, *(frames.shape[1] for frames in clips))
    scaled = []
    for frames in clips:
        size = (max(2, round(frames.shape[2] * height / frames.shape[1])), height)
        scaled.append(
            np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in frames[:count]])
        )
    return np.ascontiguousarray(np.concatenate(scaled, axis=2), dtype=np.uint8)


def _rows(
    clip: Made, facts: Sequence[Fact], names: Sequence[str], rng: np.random.Generator, config: AugmentConfig
) -> list[Row]:
    """Every one, every two and all three asked about, and as many questions of each other kind."""
    slots = range(len(facts))
    asked = [group for size in range(1, len(facts) + 1) for group in combinations(slots, size)]
    rows: list[Row] = []
    for turn in range(config.questions_each):
        for place, group in enumerate(asked):
            mixed = [int(slot) for slot in rng.permutation(group)]
            rows.append(row_of(clip.file, clip.role, facts, names, "existence", mixed, rng, config))
            for kind in DESCRIBED:
                slot = (place + turn) % len(facts)
                rows.append(row_of(clip.file, clip.role, facts, names, kind, (slot,), rng, config))
    return rows


def _sheet(about: dict[str, Any]) -> str:
    counts = "\n".join(f"| {name} | {value} |" for name, value in about["counts"].items())
    return f"""# Datasheet

**What for.** To train a household's own base, for {" and ".join(about["subjects"])}; never the
adapter of one of them.

| | |
|---|---|
{counts}

**Made of** the datasets of these people, see their datasheets. Clips of several people are clips of each,
side by side; clips of nobody show people of their negatives.

**Consent.** Delete this folder when one of them is forgotten.
"""


if __name__ == "__main__":
    sys.exit(main())
