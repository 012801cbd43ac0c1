"""Frames through the torch encoders as on the box: detect, track, crop, embed. Knows no subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec, to_vision_input
from runtime.people.stream import HeadLook, head_views
from runtime.people.tokens import person_tokens
from runtime.people.views import PersonTokens, PersonView
from train.model.bridge import BridgeInputs
from train.model.pvchat import PVChat

Floats = NDArray[np.float32]
WINDOW_TOKENS, REFERENCE_TOKENS = 32, 64


@dataclass(frozen=True, slots=True)
class EncodedWindow:
    """One window: scene float32 (T, P, Dv), and the people in it."""

    scene: Floats
    tokens: PersonTokens


@torch.no_grad()
def look(
    model: PVChat, frames: NDArray[np.uint8], spec: PixelSpec, fps: float
) -> tuple[Floats, list[PersonView]]:
    """Scene tokens (T, P, Dv) and views of everybody in consecutive frames uint8 (T, H, W, 3)."""
    scene, people = model.vision(torch.from_numpy(to_vision_input(frames, spec)))

    def embed(crops: Floats) -> HeadLook:
        with torch.no_grad():
            found = model.head(torch.from_numpy(crops))
        return HeadLook(*(part.numpy() for part in found))

    def tell(crops: Floats) -> Floats:
        with torch.no_grad():
            signs: Floats = model.body(torch.from_numpy(crops)).numpy()
        return signs

    times = [index / fps for index in range(len(frames))]
    return scene.numpy(), head_views(frames, times, people.numpy(), spec, embed, tell)


def pack(
    views: Sequence[PersonView], frames: NDArray[np.uint8], spec: PixelSpec, capacity: int, model: PVChat
) -> PersonTokens:
    """Views as person tokens for frames of this size."""
    return person_tokens(
        views,
        frame_width=frames.shape[2],
        frame_height=frames.shape[1],
        spec=spec,
        capacity=capacity,
        width=model.head.config.dim,
        signs=model.bridge.config.signs_dim,
    )


def encode_window(model: PVChat, frames: NDArray[np.uint8], spec: PixelSpec) -> EncodedWindow:
    """A window of `spec.window_frames` frames at `spec.window_fps`."""
    scene, views = look(model, frames, spec, spec.window_fps)
    return EncodedWindow(scene, pack(views, frames, spec, WINDOW_TOKENS, model))


def bridge_inputs(
    windows: Sequence[EncodedWindow],
    queries: torch.Tensor,
    templates: torch.Tensor,
    delta_a: torch.Tensor,
    delta_b: torch.Tensor,
) -> BridgeInputs:
    """B windows and B x S subjects (B, S, ...) as the bridge takes them; every window is in the domain."""

    def stack(arrays: list[Floats]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays))

    return BridgeInputs(
        scene=stack([window.scene for window in windows]),
        scene_valid=torch.ones(len(windows)),
        embed=stack([window.tokens.embed for window in windows]),
        geom=stack([window.tokens.geom for window in windows]),
        signs=stack([window.tokens.signs for window in windows]),
        valid=stack([window.tokens.valid for window in windows]),
        queries=queries,
        templates=templates,
        subject_valid=torch.ones(queries.shape[:2]),
        delta_a=delta_a,
        delta_b=delta_b,
    )
