"""A face that moves, by warping its picture: the five drivers of the paper (yes, no, smile, query, angry).

The head is taken for an ellipsoid that faces the camera; coordinates are shares of its box, the middle is 0.
Warps fade out around it, so that a room does not bend. Best from a frame that is held or nearly so: what the
head does already stays, and this comes on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from train.augment.vary.shot import Floats, Shot, seen

Field = tuple[Floats, Floats]
_MOUTH_V, _MOUTH_U, _BROW_V, _BROW_U = 0.27, 0.16, -0.1, 0.18
_MOUTH_REACH, _BROW_REACH = 0.11, 0.1


@dataclass(frozen=True, slots=True)
class Pose:
    """What a head does at one moment.

    Attributes:
        pitch, yaw, roll: radians; down, to the picture's right, clockwise.
        mouth: of the corners, shares of the head: up and apart (negative: down and together).
        brows: up (negative: down and together).
    """

    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    mouth: float = 0.0
    brows: float = 0.0


def yes(shot: Shot, rng: np.random.Generator) -> Shot:
    """Nods."""
    depth, rate, start = float(rng.uniform(0.15, 0.3)), float(rng.uniform(0.8, 1.5)), float(rng.uniform(0, 1))
    return _moved(shot, lambda t: Pose(pitch=depth * np.sin(2 * np.pi * (rate * t + start))))


def no(shot: Shot, rng: np.random.Generator) -> Shot:
    """Shakes the head."""
    depth, rate, start = float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.8, 1.5)), float(rng.uniform(0, 1))
    return _moved(shot, lambda t: Pose(yaw=depth * np.sin(2 * np.pi * (rate * t + start))))


def smile(shot: Shot, rng: np.random.Generator) -> Shot:
    """The corners of the mouth go up and apart, the brows up a little."""
    how, at = float(rng.uniform(0.03, 0.06)), float(rng.uniform(0.2, 0.8))
    return _moved(shot, lambda t: Pose(mouth=how * _rise(t, at), brows=0.2 * how * _rise(t, at)))


def query(shot: Shot, rng: np.random.Generator) -> Shot:
    """The head tilts to a side, the brows go up: a question."""
    tilt, at = float(rng.choice([-1, 1]) * rng.uniform(0.1, 0.22)), float(rng.uniform(0.2, 0.8))
    lift = float(rng.uniform(0.02, 0.045))
    return _moved(shot, lambda t: Pose(roll=tilt * _rise(t, at), brows=lift * _rise(t, at)))


def angry(shot: Shot, rng: np.random.Generator) -> Shot:
    """Brows down and together, corners of the mouth down, the head forward in jerks."""
    how, rate = float(rng.uniform(0.03, 0.05)), float(rng.uniform(1.5, 2.5))
    return _moved(
        shot,
        lambda t: Pose(pitch=0.12 * max(0.0, np.sin(2 * np.pi * rate * t)), mouth=-0.6 * how, brows=-how),
    )


DRIVERS: dict[str, Callable[[Shot, np.random.Generator], Shot]] = {
    "yes": yes, "no": no, "smile": smile, "query": query, "angry": angry,
}  # fmt: skip


def _rise(t_s: float, at_s: float) -> float:
    """0 before, 1 half a second later, smooth (smoothstep)."""
    x = min(1.0, max(0.0, (t_s - at_s) / 0.5))
    return x * x * (3 - 2 * x)


def _moved(shot: Shot, pose_at: Callable[[float], Pose]) -> Shot:
    frames = shot.frames.copy()
    for row, head in enumerate(shot.heads):
        if seen(head):
            frames[row] = warp_head(shot.frames[row], head, pose_at(row / shot.fps))
    return replace(shot, frames=frames)


def warp_head(frame: NDArray[np.uint8], head: Floats, pose: Pose) -> NDArray[np.uint8]:
    """One frame (H, W, 3) with the head (x, y, width, height in pixels) brought into a pose."""
    height, width = frame.shape[:2]
    x, y, w, h = (float(value) for value in head)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    u, v = (columns - (x + w / 2)) / w, (rows - (y + h / 2)) / h
    du, dv = _turned(u, v, pose)
    for side in (-1.0, 1.0):
        near = _bump(u - side * _MOUTH_U, v - _MOUTH_V, _MOUTH_REACH)
        du, dv = du + side * 0.6 * pose.mouth * near, dv - pose.mouth * near
        near = _bump(u - side * _BROW_U, v - _BROW_V, _BROW_REACH)
        together = min(0.0, pose.brows)
        du, dv = du + side * 0.5 * together * near, dv - pose.brows * near
    return np.asarray(
        cv2.remap(frame, columns - du * w, rows - dv * h, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )


def _turned(u: Floats, v: Floats, pose: Pose) -> Field:
    """How far the front of an ellipsoid moves, in shares of its box: depth times the sine of the angle."""
    front = np.exp(-2.2 * (u * u + v * v) / 0.25).astype(np.float32)
    whole = np.exp(
        -((u / 0.75) ** 4) - (np.minimum(v, 0.5) / 0.8) ** 4 - (np.maximum(v - 0.4, 0) / 0.35) ** 2
    )
    du, dv = 0.5 * front * np.sin(pose.yaw), 0.5 * front * np.sin(pose.pitch)
    from_chin = v - 0.5
    return (
        (du - whole * np.sin(pose.roll) * from_chin).astype(np.float32),
        (dv + whole * np.sin(pose.roll) * u).astype(np.float32),
    )


def _bump(u: Floats, v: Floats, reach: float) -> Floats:
    return np.exp(-(u * u + v * v) / (2 * reach * reach)).astype(np.float32)
