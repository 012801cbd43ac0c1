"""What the frozen encoders make of a rendered set, cached on disk. Knows no episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec, normalise
from runtime.people.tokens import limited
from train.base.body_stage import people_in, tell_bodies
from train.base.head_stage import embed_crops
from train.base.signs import BODY_SIGNS
from train.base.world_data import WorldData
from train.model.body import BodyEncoder
from train.model.head import POSE, HeadEncoder
from train.model.pvchat import PVChat
from train.model.vision import VisionEncoder
from train.precision import mixed

_CLIPS_AT_ONCE = 4
_TYPICAL = 0.75


@dataclass(frozen=True, slots=True)
class Features:
    """What the frozen encoders made of a set.

    Attributes:
        tokens: float16 (N, T, P, Dv), memory-mapped.
        embed: float32 (N, T, A, E), unit; zeros where nobody is.
        quality: float32 (N, T, A), 0..1.
        signs: float16 (N, T, A, J), as `train.base.signs` has them; zeros where nobody is in view.
    """

    tokens: NDArray[np.float16]
    embed: NDArray[np.float32]
    quality: NDArray[np.float32]
    signs: NDArray[np.float16]


def cache_features(
    folder: Path,
    data: WorldData,
    vision: VisionEncoder,
    head: HeadEncoder,
    body: BodyEncoder,
    progress: Callable[[str, int, int], None],
) -> Features:
    """Encode a whole set, or open what was encoded before (delete the folder when the encoders change)."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokens.npy").exists():
        cache_tokens(folder, data, vision.eval(), progress)
    if not (folder / "embed.npz").exists():
        _cache_heads(folder, data, head.eval(), progress)
    heads = np.load(folder / "embed.npz")
    if not (folder / "signs.npy").exists():
        _cache_bodies(folder, data, heads["pose"], body.eval(), progress)
    return Features(
        np.load(folder / "tokens.npy", mmap_mode="r"), heads["embed"], heads["quality"],
        np.load(folder / "signs.npy"),
    )  # fmt: skip


def cache_tokens(
    folder: Path, data: WorldData, vision: VisionEncoder, progress: Callable[[str, int, int], None]
) -> None:
    """Scene tokens of a whole set; they get their name when they are complete."""
    spec = PixelSpec()
    clips, frames = data.frames.shape[:2]
    cells = vision.config.grid[0] * vision.config.grid[1]
    out = open_memmap(
        folder / "tokens.part", mode="w+", dtype=np.float16, shape=(clips, frames, cells, vision.config.dim)
    )
    vision.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.no_grad():
        for start in range(0, clips, _CLIPS_AT_ONCE):
            part = data.frames[start : start + _CLIPS_AT_ONCE].astype(np.float32)
            pixels = torch.from_numpy(normalise(part.reshape(-1, *part.shape[2:]), spec))
            with mixed():
                tokens = vision.tokens(pixels.contiguous(memory_format=torch.channels_last)).float()
            rows = tokens.half().numpy().reshape(len(part), frames, cells, -1)
            out[start : start + _CLIPS_AT_ONCE] = rows
            progress("scene tokens", start + len(part), clips)
    out.flush()
    (folder / "tokens.part").replace(folder / "tokens.npy")


def _cache_heads(
    folder: Path, data: WorldData, head: HeadEncoder, progress: Callable[[str, int, int], None]
) -> None:
    clips, frames, slots = data.crops.shape[:3]
    embed = np.zeros((clips, frames, slots, head.config.dim), dtype=np.float32)
    quality = np.zeros((clips, frames, slots), dtype=np.float32)
    pose = np.zeros((clips, frames, slots, POSE), dtype=np.float32)
    who = np.argwhere(np.repeat(data.truth["who"][:, None, :] >= 0, frames, axis=1))
    for start in range(0, len(who), 4096):
        clip, t, slot = who[start : start + 4096].T
        found = embed_crops(head, data.crops[clip, t, slot], start)
        embed[clip, t, slot], quality[clip, t, slot], pose[clip, t, slot] = found
        progress("heads", min(start + 4096, len(who)), len(who))
    np.savez(folder / "embed.npz", embed=embed, quality=quality, pose=pose)


def _cache_bodies(
    folder: Path, data: WorldData, pose: NDArray[np.float32], body: BodyEncoder,
    progress: Callable[[str, int, int], None],
) -> None:  # fmt: skip
    people = people_in(data, 0, len(data.bodies))
    told = sum(BODY_SIGNS.values())
    signs = np.zeros((*data.bodies.shape[:3], told + POSE), dtype=np.float16)
    for start in range(0, len(people), 4096):
        part = people[start : start + 4096]
        clip, t, slot = part.T
        signs[clip, t, slot, :told] = tell_bodies(body, data, part)
        signs[clip, t, slot, told:] = pose[clip, t, slot]
        progress("bodies", start + len(part), len(people))
    np.save(folder / "signs.part.npy", limited(signs))
    (folder / "signs.part.npy").replace(folder / "signs.npy")


def domain_statistics(
    tokens: NDArray[np.float16], clips: NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (Dv,) and whitening matrix (Dv, Dv) of scene tokens pooled over a window."""
    pooled = np.stack([tokens[clip].astype(np.float32).mean(axis=(0, 1)) for clip in clips])
    mean = pooled.mean(axis=0)
    covariance = np.cov((pooled - mean).T) + 1e-3 * np.eye(pooled.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    whiten = (vectors / np.sqrt(values)) @ vectors.T
    return torch.from_numpy(mean), torch.from_numpy(whiten.astype(np.float32))


def typical_distance(model: PVChat, tokens: NDArray[np.float16], clips: NDArray[np.int64]) -> float:
    """Distance from the domain's middle that three quarters of its own clips keep within."""
    distances = [
        float(model.domain_distance(torch.from_numpy(tokens[clip].astype(np.float32))[None])[0])
        for clip in clips
    ]
    return float(np.quantile(distances, _TYPICAL))
