"""From the drawn picture to the camera's picture: light, infrared, blur, noise, compression.

Knows no rooms and no people. Frames are uint8 (H, W, 3) RGB 0..255; noise depends on seed and time alone.
"""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from train.world.script import Light
from train.world.sketch import Frame

_TILE_PX = 640


@lru_cache(maxsize=24)
def _noise(sigma: int, grey: bool) -> tuple[Frame, Frame]:
    """A tile of noise as two uint8 (640, 640, 3) pictures: what to add and what to take away."""
    rng = np.random.default_rng([7919, sigma, int(grey)])
    luma = rng.standard_normal((_TILE_PX, _TILE_PX, 1), dtype=np.float32)
    chroma = rng.standard_normal((_TILE_PX, _TILE_PX, 3), dtype=np.float32)
    mixed = np.repeat(luma, 3, axis=2) if grey else 0.8 * luma + 0.6 * chroma
    scaled = np.rint(mixed * sigma)
    return scaled.clip(0, 255).astype(np.uint8), (-scaled).clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=24)
def _gain(light: Light, height: int, width: int) -> Frame:
    """uint8 (H, W, 3), 128 is a gain of 1: brightness, tint, lamp, and the vignette of the infrared lamp."""
    xs = np.arange(width, dtype=np.float32)[None, :]
    ys = np.arange(height, dtype=np.float32)[:, None]
    field: NDArray[np.float32] = np.full((height, width), light.brightness, dtype=np.float32)
    if light.lamp_strength > 0:
        far = ((xs - light.lamp_x_px) ** 2 + (ys - light.lamp_y_px) ** 2) / np.float32(width * width)
        lit = light.brightness * (1.0 + light.lamp_strength * (1.2 * np.exp(-4.0 * far) - 0.6))
        field = lit.astype(np.float32, copy=False)
    if light.night:
        centre = ((xs - width / 2) / width) ** 2 + ((ys - height / 2) / height) ** 2
        field = (field * (1.12 - 1.5 * centre)).astype(np.float32, copy=False)
        gain = cv2.merge([field, field, field])
    else:
        gain = cv2.merge([field * np.float32(tint) for tint in light.tint_rgb])
    return _frame(cv2.convertScaleAbs(gain, alpha=128))


def expose(frame: Frame, light: Light, seed: int, t_ms: int) -> Frame:
    """What the sensor and the encoder make of a drawn frame at this millisecond of the clip."""
    height, width = frame.shape[:2]
    if light.night:
        cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB, dst=frame)
    frame = _frame(cv2.multiply(frame, _gain(light, height, width), scale=1 / 128))
    if light.blur_sigma_px > 0:
        frame = _frame(cv2.GaussianBlur(frame, (0, 0), light.blur_sigma_px))
    if light.noise_sigma > 0:
        more, less = _noise(light.noise_sigma, light.night)
        rng = np.random.default_rng([seed & 0xFFFFFFFF, t_ms])
        y, x = int(rng.integers(_TILE_PX - height)), int(rng.integers(_TILE_PX - width))
        window = np.s_[y : y + height, x : x + width]
        frame = _frame(cv2.subtract(cv2.add(frame, more[window]), less[window]))
    if light.jpeg_quality > 0:
        # The codec takes the channels for BGR; the round trip keeps their order.
        _, coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, light.jpeg_quality])
        return _frame(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return frame


def _frame(picture: Any) -> Frame:
    """What OpenCV returns, with the type that it has."""
    frame: Frame = picture
    return frame
