"""`python -m train.augment.dataset`: clips of one person to a dataset; ends with one line of JSON.

The same command again makes only what is missing. Clips that no longer look like the person are dropped, and
counted.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime.contract.errors import ContentError, UsageError
from runtime.contract.settings import load_settings
from runtime.people.views import PersonView
from runtime.video import read_video
from train.augment.dataset.ask import rows_of
from train.augment.dataset.attributes import AGE_GROUPS, GENDERS, Attributes, told
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.eyes import Eyes, likeness, most_alike, open_eyes
from train.augment.dataset.folder import Folder, Made
from train.augment.dataset.gallery import open_gallery
from train.augment.dataset.generated import counts_of, generated
from train.augment.dataset.make import Recipe, cook, recipes, shot_of
from train.augment.dataset.negatives import Other, read_members, rendered_people, similar_people
from train.augment.dataset.people import Still, stills, told_apart
from train.augment.dataset.rewrite import finished
from train.augment.dataset.sheet import datasheet
from train.augment.generate.build import build
from train.augment.vary.mix import vary
from train.augment.vary.shot import Shot
from train.program import run_program
from train.progress import bar


@dataclass(frozen=True, slots=True)
class _Source:
    """One clip with the person in it, and how that one looks; `digest` is of its bytes."""

    name: str
    digest: str
    shot: Shot
    person: list[PersonView]
    best: Still
    looks: Attributes


def main(argv: Sequence[str] | None = None) -> int:
    """Make it; the exit code is the error's."""
    args = _arguments(argv)
    return run_program("train.augment.dataset", lambda: _make(args))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.augment.dataset", description=__doc__)
    parser.add_argument("--clip", type=Path, action="append", required=True, help="again for more clips")
    parser.add_argument("--out", type=Path, required=True, help="the dataset's folder")
    parser.add_argument("--subject", default="person", help="the person's name in the lines")
    parser.add_argument("--which", type=int, help="person N of the first clip, seen most first")
    parser.add_argument("--faces", type=Path, help="a folder of other people, for hard negatives")
    parser.add_argument(
        "--member", type=Path, action="append", default=[], metavar="FILE",
        help="adapter, clip or picture of another member, who is in no negative; again for more",
    )  # fmt: skip
    parser.add_argument("--base", type=Path, help="base checkpoint: look for rendered heads, not faces")
    parser.add_argument("--age-group", choices=AGE_GROUPS, help="as the household says it")
    parser.add_argument("--gender", choices=GENDERS, help="as the person presents, said by the household")
    parser.add_argument("--config", type=Path, help="as configs/train/augment.toml")
    return parser.parse_args(argv)


def _make(args: argparse.Namespace) -> dict[str, Any]:
    config = load_settings(args.config, AugmentConfig) if args.config else AugmentConfig()
    eyes = open_eyes(args.base)
    sources = _sources(args, config, eyes)
    person = [view for source in sources for view in source.person]
    floor = eyes.same_above if config.same_above is None else config.same_above
    folder = Folder(args.out)
    generators = build(config.generators)
    made = _positives(folder, sources, person, eyes, config, floor)
    for source in sources:
        best = source.shot.frames[source.best.view.frame]
        made += generated(
            folder, generators, source.name, source.digest, best, source.looks, person, eyes, config, floor,
            bar("generated"),
        )  # fmt: skip
    made += _negatives(folder, args, person, eyes, config)
    looks = {source.name: source.looks for source in sources}
    rows, lost = finished(rows_of(made, config, args.subject, looks), config)
    counts = {**_counts(made, rows), **({"rewritings_dropped": lost} if config.rewriter else {})}
    about = {
        "subject": args.subject,
        "source": eyes.source,
        "seed": config.seed,
        "config": {name: value for name, value in asdict(config).items() if name != "generators"},
        "generators": counts_of([generator for _, generator in generators], made),
        "same_above": floor,
        "clips_of": {source.name: source.digest for source in sources},
        "best": {source.name: _scores(source.best) for source in sources},
        "attributes": {name: asdict(one) for name, one in looks.items()},
        "attributes_by": eyes.looks.source,
        "counts": counts,
    }
    folder.finish(about, rows, datasheet(about))
    return {"out": str(args.out), **counts}


def _sources(args: argparse.Namespace, config: AugmentConfig, eyes: Eyes) -> list[_Source]:
    found: list[_Source] = []
    for path in args.clip:
        frames = read_video(path, fps=config.fps).clip.frames
        people = told_apart(eyes.views(frames, config.fps), eyes, config.cluster)
        person = _chosen(people, path, args.which, found, eyes)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        shot = shot_of(frames, person, config.fps)
        looks = told(eyes.looks.read(person, frames), {"age_group": args.age_group, "gender": args.gender})
        found.append(_Source(path.name, digest, shot, person, stills(person, frames)[0], looks))
    return found


def _chosen(
    people: list[list[PersonView]], path: Path, which: int | None, before: Sequence[_Source], eyes: Eyes
) -> list[PersonView]:
    """Of the first clip the one that was asked for; of further ones who looks like that one.

    Raises:
        ContentError: nobody, several without a choice, or nobody alike. UsageError: no such person.
    """
    if not people:
        raise ContentError(f"{path.name} shows nobody.", "Use a clip that shows the person near and clear.")
    if before:
        known = before[0].person
        best = max(people, key=lambda person: likeness(eyes, known, person))
        if likeness(eyes, known, best) < eyes.same_above:
            raise ContentError(f"nobody in {path.name} looks like the person of {before[0].name}.")
        return best
    if which is None and len(people) > 1:
        raise ContentError(f"{path.name} shows {len(people)} people.", "Say which with --which N.")
    if which is not None and not 1 <= which <= len(people):
        raise UsageError(f"--which {which}: {path.name} shows {len(people)} people, counted from 1.")
    return people[(which or 1) - 1]


def _positives(
    folder: Folder, sources: Sequence[_Source], person: Sequence[PersonView], eyes: Eyes,
    config: AugmentConfig, floor: float,
) -> list[Made]:  # fmt: skip
    wanted, progress = recipes(config), bar("positives")
    made = []
    for source in sources:
        for recipe in wanted:

            def make(recipe: Recipe = recipe, source: _Source = source) -> tuple[Shot, float]:
                shot = cook(recipe, source.shot, source.best, config)
                return shot, likeness(eyes, person, most_alike(eyes, shot.frames, shot.fps, person))

            settings = (str(config.seed), str(config.clip_frames), f"{config.fps:g}")
            key = ("positive", source.digest, recipe.name, *settings)
            made.append(
                folder.clip(
                    key, make, lambda alike: alike >= floor,
                    recipe=recipe.name, origin=source.name, role="positive",
                )
            )  # fmt: skip
            progress(len(made), len(sources) * len(wanted))
    return made


def _negatives(
    folder: Folder, args: argparse.Namespace, person: Sequence[PersonView], eyes: Eyes, config: AugmentConfig
) -> list[Made]:
    others: list[Other] = []
    members = read_members(args.member, eyes, config.fps)
    if args.faces is not None and config.similar:
        gallery = open_gallery(args.faces, eyes, bar("faces"))
        others += similar_people(
            gallery, person, eyes, members, config.similar, config.clip_frames, config.fps
        )
    others += rendered_people(
        person, eyes, members, look_alikes=config.look_alikes, random=config.random, seed=config.seed,
        frames_each=config.clip_frames, fps=config.fps,
    )  # fmt: skip
    made, progress = [], bar("negatives")
    for number, other in enumerate(others):
        motions = config.drivers[:1] if other.kind == "random" else config.drivers
        for place, motion in enumerate(motions):
            rng = np.random.default_rng((config.seed, 5, number, place))
            shot = vary(other.shot, (motion,), rng)
            digest = hashlib.sha256(shot.frames.tobytes()).hexdigest()

            def take(shot: Shot = shot, other: Other = other) -> tuple[Shot, float]:
                return shot, other.likeness

            made.append(
                folder.clip(
                    ("negative", digest), take, lambda _: True,
                    recipe=f"still+{motion}", origin=other.origin, role=other.kind,
                )
            )  # fmt: skip
        progress(number + 1, len(others))
    return made


def _scores(still: Still) -> dict[str, float]:
    scores = {name: getattr(still, name) for name in ("front", "sharp", "inside", "large", "score")}
    return {"frame": still.view.frame, **{name: round(float(value), 4) for name, value in scores.items()}}


def _counts(made: Sequence[Made], rows: Sequence[Any]) -> dict[str, int]:
    roles = Counter(one.role for one in made if one.kept)
    return {
        **{f"clips_{role}": count for role, count in sorted(roles.items())},
        "clips_dropped": sum(not one.kept for one in made),
        "questions": len(rows),
    }


if __name__ == "__main__":
    sys.exit(main())
