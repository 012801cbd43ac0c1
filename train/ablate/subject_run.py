"""Trained adapters of a few people nobody trained on, from more and from less data. Knows no tables.

Presence is judged at an evidence of 0 (as likely as not), not at the best threshold: what is learned without
negatives shows in where the scores lie.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.contract.adapter import Adapter
from runtime.contract.errors import ContentError
from runtime.contract.pixels import PixelSpec
from train.ablate.variants import SubjectVariant
from train.model.pvchat import PVChat
from train.subject.config import SubjectConfig
from train.subject.footage import Lessons, head_template, lessons, other_windows, own_windows
from train.subject.instant import instant_adapter
from train.subject.learn import SubjectRows, learn
from train.windows import EncodedWindow, encode_window
from train.world.sample import sample_script
from train.world.scene import render_frames
from train.world.script import Script
from train.world.traits import Identity, look_alike, sample_identity

Frames = NDArray[np.uint8]
_STREAM = 4_000_003
_PRESENT, _ALIKE, _STRANGERS = 4, 4, 6
_NO_LIMIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody new: the reference clip, and windows with and without this person."""

    frames: Frames
    adapter: Adapter
    present: list[EncodedWindow]
    absent: list[EncodedWindow]


def sample_person(model: PVChat, seed: int, number: int, base: str) -> Person | None:
    """A person of the test split, enrolled from one clip; None where nobody is found in it."""
    rng = np.random.default_rng([_STREAM, seed, number])
    spec, who = PixelSpec(), sample_identity(rng, "test")
    reference = sample_script(
        rng, people=[who], actions=["looking_around"], night=False, foreground=False, hidden=False,
        head_px=(58.0, 66.0), facing_deg=0.0, duration_s=4.0,
    )  # fmt: skip
    frames = _clip(reference, spec, 16)
    try:
        adapter = instant_adapter(model, frames, base, f"s{number:032x}")
    except ContentError:
        return None
    windows = [
        [encode_window(model, _clip(script, spec, spec.window_frames), spec) for script in scripts]
        for scripts in _scripts(rng, who)
    ]
    return Person(frames, adapter, windows[0], windows[1])


def _scripts(rng: np.random.Generator, who: Identity) -> tuple[list[Script], list[Script]]:
    present = [sample_script(rng, people=[who], hidden=False) for _ in range(_PRESENT)]
    others = [look_alike(who, 2 + index, rng) for index in range(_ALIKE)]
    others += [sample_identity(rng, "test") for _ in range(_STRANGERS)]
    return present, [sample_script(rng, people=[one], hidden=False) for one in others]


def _clip(script: Script, spec: PixelSpec, count: int) -> Frames:
    return render_frames(script, [step / spec.window_fps for step in range(count)])[0]


def run_people(
    model: PVChat, base: str, variants: Sequence[SubjectVariant], seed: int, people: int,
    config: SubjectConfig, report: Callable[[int, int], None],
) -> dict[str, dict[str, float]]:  # fmt: skip
    """By variant, means over people: right where present and where absent, the mean of both, seconds."""
    found: dict[str, list[dict[str, float]]] = {variant.label: [] for variant in variants}
    for number in range(people):
        person = sample_person(model, seed, number, base)
        if person is not None:
            stages = _stages(model, person, replace(config, seed=seed))
            for variant in variants:
                found[variant.label].append(_score(model, person, variant, stages, config))
        report(number + 1, people)
    return {
        label: {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for label, rows in found.items()
    }


Stages = dict[bool, list[tuple[str, Lessons, int]]]


def _stages(model: PVChat, person: Person, config: SubjectConfig) -> Stages:
    """Both stages' windows, varied and as they are."""
    spec, template = PixelSpec(), head_template(person.adapter)
    others = other_windows(model, template, spec, config)
    made: Stages = {}
    for augmented in (True, False):
        own = replace(config, copies=config.copies if augmented else 1)
        still, moving = (
            own_windows(model, person.frames, template, spec, own, still=one) for one in (True, False)
        )
        made[augmented] = [
            ("image", lessons(still, others, own), own.image_steps),
            ("video", lessons(moving, others, own), own.video_steps),
        ]
    return made


def _score(
    model: PVChat, person: Person, variant: SubjectVariant, stages: Stages, config: SubjectConfig
) -> dict[str, float]:
    rows, began = SubjectRows(person.adapter, config.seed), time.monotonic()
    if variant.trained:
        chosen = [
            (name, part if variant.negatives else replace(part, others=[]), count)
            for name, part, count in stages[variant.augmented]
        ]
        outcome = learn(
            model,
            person.adapter,
            chosen,
            config,
            evidence=None,
            until=began + _NO_LIMIT_S,
            progress=lambda done, total: None,
        )
        arrays = {**person.adapter.arrays, **outcome.arrays}
        rows = SubjectRows(replace(person.adapter, arrays=arrays), config.seed)
    seconds = time.monotonic() - began
    with torch.no_grad():
        there = float((rows.presence(model, person.present) > 0).float().mean())
        away = float((rows.presence(model, person.absent) <= 0).float().mean())
    return {"present": there, "absent": away, "accuracy": (there + away) / 2, "seconds": seconds}
