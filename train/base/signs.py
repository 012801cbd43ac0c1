"""Signs: what is read off a person in one frame, as numbers. Knows no network.

Joints are right of and below the centre of the head's box as it was found, in heights of that box; all else
that the body encoder tells are logits. The head encoder adds sine and cosine of the yaw, and the pitch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.contract.pixels import PixelSpec
from train.base.world_data import ACTION_NAMES, COLOUR_NAMES, JOINTS, WorldData
from train.world.palette import BOTTOM_COLOURS
from train.world.script import BOTTOM_KINDS, TOP_KINDS
from train.world.sight import MIN_GARMENT_VISIBLE

Places = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Clip, frame and slot of K people, each (K,)."""

BODY_SIGNS: dict[str, int] = {
    "joints": JOINTS * 2, "action": len(ACTION_NAMES), "top": len(COLOUR_NAMES), "kind": len(TOP_KINDS),
    "bottom": len(BOTTOM_COLOURS), "bottom_kind": len(BOTTOM_KINDS),
}  # fmt: skip
"""What the body encoder tells, in this order, and how many numbers each takes."""
_FAR = 10.0


def joints_of(data: WorldData, at: Places) -> NDArray[np.float32]:
    """float32 (K, joints, 2): joints as signs tell them, cut off at 10 heads."""
    clip, t, slot = at
    box, joints = data.truth["cut"][clip, t, slot], data.truth["joints"][clip, t, slot]
    spec = PixelSpec()
    aspect = np.array([spec.width / spec.height, 1.0], dtype=np.float32)
    centre, height = box[:, :2] + box[:, 2:] / 2, np.maximum(box[:, 3], 1e-3)
    heads = (joints - centre[:, None]) * aspect / height[:, None, None]
    return np.asarray(np.clip(heads, -_FAR, _FAR), dtype=np.float32)


def pose_of(data: WorldData, at: Places) -> NDArray[np.float32]:
    """float32 (K, 3): sine and cosine of the yaw, pitch in radians."""
    clip, t, slot = at
    yaw, pitch = (np.deg2rad(data.truth[name][clip, t, slot]) for name in ("yaw", "pitch"))
    return np.stack([np.sin(yaw), np.cos(yaw), pitch], axis=-1).astype(np.float32)


def shown(data: WorldData, name: str, at: Places) -> NDArray[np.bool_]:
    """bool (K,): whether a part of `BODY_SIGNS` can be told by eye: it is in view, and colours by day."""
    clip, t, slot = at
    truth = data.truth
    day = truth["night"][clip] < 0.5
    if name == "action":
        return np.asarray(truth["top_seen"][clip, t, slot] > 0)
    seen = truth["top_seen" if name in ("top", "kind") else "bottom_seen"][clip, t, slot]
    return np.asarray((seen >= MIN_GARMENT_VISIBLE) & (day if name in ("top", "bottom") else True))
