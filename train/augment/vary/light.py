"""Other light and another camera: brightness, colour, infrared, blur, noise, compression.

Heads stay in place. Each keeps one setting for the whole shot: light does not flicker, a lens stays the same.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from train.augment.vary.shot import Floats, Shot

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_INFRARED = np.array([0.6, 0.3, 0.1], dtype=np.float32)
"""A silicon sensor without its filter, lit at 850 nm, sees mostly what the red pixels see."""


def brightness(shot: Shot, rng: np.random.Generator) -> Shot:
    """Exposure by -1 to +0.6 stops, and a gamma of 0.8 to 1.25."""
    gain, gamma = 2.0 ** float(rng.uniform(-1.0, 0.6)), float(rng.uniform(0.8, 1.25))
    return shot.with_pixels(lambda frame: 255.0 * (np.minimum(gain * frame, 255.0) / 255.0) ** gamma)


def side_light(shot: Shot, rng: np.random.Generator) -> Shot:
    """A lamp from one side: brightness falls off across the picture, down to half."""
    width, height = shot.size
    angle, least = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.5, 0.85))
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    along = (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]) / np.sqrt(2)
    lit = (least + (1 - least) * (along + 1) / 2).astype(np.float32)[..., None] * (2 / (1 + least))
    return shot.with_pixels(lambda frame: frame * lit)


def colour(shot: Shot, rng: np.random.Generator) -> Shot:
    """Another white balance (each channel by up to 12 %) and saturation (0.7 to 1.25)."""
    tint = rng.uniform(0.88, 1.12, 3).astype(np.float32)
    saturation = float(rng.uniform(0.7, 1.25))

    def change(frame: Floats) -> Floats:
        grey = (frame @ _LUMA)[..., None]
        return np.asarray((grey + saturation * (frame - grey)) * tint, dtype=np.float32)

    return shot.with_pixels(change)


def infrared(shot: Shot, rng: np.random.Generator) -> Shot:
    """A night camera: no colour, a lamp at the camera that lights the middle, noise."""
    width, height = shot.size
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    lamp = np.exp(-(x[None, :] ** 2 + y[:, None] ** 2) * float(rng.uniform(0.3, 0.9))).astype(np.float32)
    gain, grain = float(rng.uniform(0.8, 1.1)), float(rng.uniform(3, 9))

    def change(frame: Floats) -> Floats:
        lit = (frame @ _INFRARED) * lamp * gain + rng.normal(0, grain, lamp.shape).astype(np.float32)
        return np.repeat(lit[..., None], 3, axis=2)

    return shot.with_pixels(change)


def blur(shot: Shot, rng: np.random.Generator) -> Shot:
    """Out of focus, or moved while exposed, by up to 6 % of the head's height."""
    heads = shot.heads[np.isfinite(shot.heads).all(axis=1)]
    size = float(np.median(heads[:, 3])) if len(heads) else shot.size[1] / 6
    reach = float(rng.uniform(0.01, 0.06)) * size
    if rng.random() < 0.5:
        return shot.with_pixels(
            lambda frame: np.asarray(cv2.GaussianBlur(frame, (0, 0), max(0.3, reach / 2)), dtype=np.float32)
        )
    length = max(1, round(reach)) * 2 + 1
    kernel = np.zeros((length, length), dtype=np.float32)
    middle, angle = (length - 1) / 2, float(rng.uniform(0, np.pi))
    for step in np.linspace(-middle, middle, 4 * length):
        kernel[round(middle + np.sin(angle) * step), round(middle + np.cos(angle) * step)] = 1.0
    kernel /= kernel.sum()
    return shot.with_pixels(lambda frame: np.asarray(cv2.filter2D(frame, -1, kernel), dtype=np.float32))


def noise(shot: Shot, rng: np.random.Generator) -> Shot:
    """Sensor noise: its variance grows with brightness (shot noise), new in every frame."""
    read, photons = float(rng.uniform(1, 5)), float(rng.uniform(0.05, 0.6))

    def change(frame: Floats) -> Floats:
        spread = np.sqrt(read * read + photons * np.maximum(frame, 0))
        return np.asarray(frame + spread * rng.standard_normal(frame.shape), dtype=np.float32)

    return shot.with_pixels(change)


def compression(shot: Shot, rng: np.random.Generator) -> Shot:
    """JPEG at a quality of 18 to 60: the blocks of a camera that saves its bandwidth."""
    quality = int(rng.integers(18, 61))
    made = []
    for frame in shot.frames:
        _, raw = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        made.append(np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR))[..., ::-1])
    return replace(shot, frames=np.ascontiguousarray(np.stack(made), dtype=np.uint8))
