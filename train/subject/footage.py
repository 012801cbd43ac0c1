"""Windows to learn from: the person's own clip, varied, and rendered people that are somebody else.

Never another member of the household: forgetting B must not leave B inside A. Knows no optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract.adapter import Adapter
from runtime.contract.errors import ContentError
from runtime.contract.pixels import PixelSpec
from train.model.pvchat import PVChat
from train.subject.config import SubjectConfig
from train.windows import EncodedWindow, encode_window, look
from train.world.household import identity_at
from train.world.sample import sample_script
from train.world.scene import render_frames
from train.world.traits import Identity, look_alike

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Encoded windows: `own` show the person, `others` do not; the held-out ones only measure."""

    own: list[EncodedWindow]
    others: list[EncodedWindow]
    own_held: list[EncodedWindow]
    others_held: list[EncodedWindow]


def head_template(adapter: Adapter) -> Floats:
    """The unit mean (E,) of the heads that an adapter was made from.

    Raises:
        ContentError: it was made from faces of ordinary footage.
    """
    template = adapter.template("head")
    if template is None:
        raise ContentError(
            "this person was enrolled from ordinary footage, where the base knows faces alone.",
            "Keep the instant adapter, or enrol from footage that the base was trained on.",
        )
    return template


def pieces(
    frames: Frames,
    count: int,
    rng: np.random.Generator,
    held_out_share: float,
    *,
    still: bool,
    copies: int = 3,
) -> tuple[list[Frames], list[Frames]]:
    """Windows of `count` frames of a clip, varied, to learn from; and held out ones (the end of the clip).

    Args:
        frames: uint8 (T, H, W, 3) at the window's rate.
        still: hold one frame (the image stage). copies: of each window, all but the first varied.
    """
    starts = list(range(0, max(1, len(frames) - count + 1), 2 if not still else 1))
    cut = max(1, round(len(starts) * (1 - held_out_share)))
    parts: list[list[Frames]] = []
    for chosen, shown in ((starts[:cut], copies), (starts[cut:] or starts[-1:], 1)):
        made = []
        for start in chosen:
            held = np.repeat(frames[start : start + 1], count, axis=0)
            piece = held if still else _span(frames, start, count)
            made += [vary(piece, rng) if copy else piece for copy in range(shown)]
        parts.append(made)
    return parts[0], parts[1]


def own_windows(
    model: PVChat, frames: Frames, template: Floats, spec: PixelSpec, config: SubjectConfig, *, still: bool
) -> tuple[list[EncodedWindow], list[EncodedWindow]]:
    """Encoded `pieces` of the person's clip in which the person is found.

    Raises:
        ContentError: the person of the adapter is not found in the clip.
    """
    rng = np.random.default_rng((config.seed, 1, int(still)))
    made = pieces(frames, spec.window_frames, rng, config.held_out_share, still=still, copies=config.copies)
    own, held = (
        [window for piece in part if shows(window := encode_window(model, piece, spec), template)]
        for part in made
    )
    if not own:
        raise ContentError(
            "the clip does not show the person that the adapter was made from.", "Use the same clip."
        )
    return own, held or own[-1:]


def other_windows(
    model: PVChat, template: Floats, spec: PixelSpec, config: SubjectConfig
) -> list[EncodedWindow]:
    """Rendered people of the training split: the nearest of a pool, their look-alikes, and the farthest."""
    rng = np.random.default_rng((config.seed, 2))
    pool = [identity_at("train", 500_000 + index) for index in range(config.pool)]
    ranked = sorted(pool, key=lambda identity: -_likeness(model, identity, template, spec, rng))
    near = ranked[: config.negatives // 2]
    twins = [look_alike(identity, 2, rng) for identity in near[: config.negatives // 4]]
    rest = ranked[-(config.negatives - len(near) - len(twins)) :]
    windows = []
    for identity in (*near, *twins, *rest):
        script = sample_script(rng, people=[identity])
        frames, _ = render_frames(script, [step / spec.window_fps for step in range(spec.window_frames)])
        windows.append(encode_window(model, frames, spec))
    return windows


def vary(frames: Frames, rng: np.random.Generator) -> Frames:
    """Other light, noise, sharpness and framing; the same for the whole window. Identity is kept."""
    height, width = frames.shape[1:3]
    zoom = float(rng.uniform(0.85, 1.1))
    shift = rng.uniform(-0.04, 0.04, 2) * (width, height)
    matrix = np.array(
        [[zoom, 0, (1 - zoom) * width / 2 + shift[0]], [0, zoom, (1 - zoom) * height / 2 + shift[1]]]
    )
    gain, blur = float(rng.uniform(0.7, 1.2)), float(rng.uniform(0.0, 0.9))
    tint, sigma = rng.uniform(0.92, 1.08, 3), float(rng.uniform(0, 8))
    out = []
    for frame in frames:
        moved = cv2.warpAffine(
            frame.astype(np.float64), matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        if blur > 0.3:
            moved = cv2.GaussianBlur(moved, (0, 0), blur)
        noisy = np.asarray(moved) * gain * tint + rng.normal(0, sigma, moved.shape)
        out.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return np.stack(out)


def _span(frames: Frames, start: int, count: int) -> Frames:
    index = np.clip(np.arange(start, start + count), 0, len(frames) - 1)
    return frames[index]


def shows(window: EncodedWindow, template: Floats) -> bool:
    """Whether somebody in a window looks at all like this template."""
    return any(float(view.embedding @ template) > 0.2 for view in window.tokens.views)


def _likeness(
    model: PVChat,
    identity: Identity,
    template: Floats,
    spec: PixelSpec,
    rng: np.random.Generator,
) -> float:
    script = sample_script(
        rng, people=[identity], night=False, foreground=False, facing_deg=0.0, head_px=(50.0, 60.0)
    )
    frames, _ = render_frames(script, [0.5])
    _, views = look(model, frames, spec, spec.window_fps)
    return max((float(view.embedding @ template) for view in views), default=-1.0)


def lessons(
    own: tuple[list[EncodedWindow], list[EncodedWindow]], others: Sequence[EncodedWindow],
    config: SubjectConfig,
) -> Lessons:  # fmt: skip
    """One stage's windows: the person's own, to learn from and held out, and a split of the others."""
    cut = max(1, int(len(others) * (1 - config.held_out_share)))
    order = np.random.default_rng((config.seed, 3)).permutation(len(others))
    picked = [others[int(index)] for index in order]
    return Lessons(own[0], picked[:cut], own[1], picked[cut:] or picked[-1:])
