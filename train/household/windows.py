"""What a household learns from: members' clips, rendered strangers, and rendered people to rehearse with.

Nobody's window is ever a negative of another member. Knows no optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.contract.adapter import Adapter
from runtime.contract.errors import ContentError
from runtime.contract.pixels import PixelSpec, to_vision_input
from runtime.people.cluster import mean_template
from runtime.people.views import PersonTokens
from train.augment.bank_facts import Fact, facts_from_script
from train.household.config import HouseholdConfig
from train.model.pvchat import PVChat
from train.subject.footage import head_template, pieces, shows
from train.windows import REFERENCE_TOKENS, EncodedWindow, encode_window, look, pack
from train.world.household import identity_at
from train.world.sample import sample_script
from train.world.scene import render_frames
from train.world.script import Script
from train.world.sight import sights

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
_REHEARSED = 700_000
"""First number of the training identities that are rehearsed with; the base was trained on other ones."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window.

    Attributes:
        pixels: float32 (T, 3, H, W) as vision takes them, for blocks that learn.
        scene: float32 (T, P, Dv), what vision made of them before it learned; cached for while it is frozen.
    """

    pixels: Floats
    scene: Floats
    tokens: PersonTokens


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A rendered person's window, their instant rows, and what is true in it."""

    window: Window
    queries: torch.Tensor
    soft: torch.Tensor
    token: torch.Tensor
    template: Floats
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Windows by member, of nobody in the household, and to rehearse with; `held_*` only measure."""

    own: list[list[Window]]
    held_own: list[list[Window]]
    others: list[Window]
    held_others: list[Window]
    rehearsal: list[Rehearsal]


def gather(
    model: PVChat, members: Sequence[tuple[Adapter, Frames]], spec: PixelSpec, config: HouseholdConfig,
    progress: Callable[[int, int], None], *, still: bool,
) -> Lessons:  # fmt: skip
    """Everything to learn from in one stage.

    Args:
        members: adapter and clip, uint8 (T, H, W, 3) at the window's rate, of each.
        still: hold one frame of every window (the image stage).

    Raises:
        ContentError: a clip does not show its person, or an adapter knows faces alone.
    """
    total = len(members) + 2 * config.others + config.rehearsal
    own, held_own = [], []
    for number, (adapter, frames) in enumerate(members):
        template = head_template(adapter)
        rng = np.random.default_rng((config.seed, 60, number, int(still)))
        parts = pieces(frames, spec.window_frames, rng, config.held_out_share, still=still)
        learnt, held = (_showing(model, part, template, spec) for part in parts)
        if not learnt:
            raise ContentError(
                f"the clip of subject {adapter.subject_id[:9]} does not show this person.",
                "Use the clip that the adapter was made from.",
            )
        own.append(learnt)
        held_own.append(held or learnt[-1:])
        progress(number + 1, total)
    rng = np.random.default_rng((config.seed, 61, int(still)))
    others = []
    for number in range(2 * config.others):
        others.append(_rendered(model, _stranger(rng, number), spec, still=still))
        progress(len(members) + number + 1, total)
    rehearsal = []
    for number in range(config.rehearsal):
        rehearsal.append(_rehearse(model, rng, number, spec, still=still))
        progress(len(members) + 2 * config.others + number + 1, total)
    known = [one for one in rehearsal if one is not None]
    return Lessons(own, held_own, others[: config.others], others[config.others :], known)


def _showing(model: PVChat, made: Sequence[Frames], template: Floats, spec: PixelSpec) -> list[Window]:
    """The windows in which somebody looks like the template."""
    found = [(encode_window(model, piece, spec), piece) for piece in made]
    return [_window(window, piece, spec) for window, piece in found if shows(window, template)]


def _window(found: EncodedWindow, frames: Frames, spec: PixelSpec) -> Window:
    return Window(to_vision_input(frames, spec), found.scene, found.tokens)


def _stranger(rng: np.random.Generator, number: int) -> Script:
    return sample_script(rng, people=[identity_at("train", 600_000 + number)])


def _frames(script: Script, spec: PixelSpec, *, still: bool) -> Frames:
    times = [0.0 if still else step / spec.window_fps for step in range(spec.window_frames)]
    return render_frames(script, times)[0]


def _rendered(model: PVChat, script: Script, spec: PixelSpec, *, still: bool) -> Window:
    frames = _frames(script, spec, still=still)
    return _window(encode_window(model, frames, spec), frames, spec)


def _rehearse(
    model: PVChat, rng: np.random.Generator, number: int, spec: PixelSpec, *, still: bool
) -> Rehearsal | None:
    """Somebody rendered, enrolled from one clip and seen in another; None where nobody is found."""
    identity = identity_at("train", _REHEARSED + number)
    reference = sample_script(
        rng,
        people=[identity],
        night=False,
        foreground=False,
        head_px=(40.0, 70.0),
        facing_deg=0.0,
        hidden=False,
    )
    frames, _ = render_frames(reference, [step / spec.window_fps for step in range(spec.window_frames)])
    _, views = look(model, frames, spec, spec.window_fps)
    if not views:
        return None
    tokens = pack(views, frames, spec, REFERENCE_TOKENS, model)
    with torch.no_grad():
        queries, soft, token = model.enrol(
            *(torch.from_numpy(part)[None] for part in (tokens.embed, tokens.geom, tokens.valid))
        )
    script = sample_script(rng, people=[identity], hidden=False)
    facts = facts_from_script(script, ["person-0"], seen=sights(script))
    if still:
        facts = tuple(replace(fact, action=None) for fact in facts)
    window = _rendered(model, script, spec, still=still)
    return Rehearsal(window, queries[0], soft[0], token[0], mean_template(views), facts)
