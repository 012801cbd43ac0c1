"""Claims about faces that never move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.people.stillness import still_faces
from runtime.people.views import PersonView

Frames = NDArray[np.uint8]
FACE = 60


def scene(moves_px: float = 0.0, noise: float = 4.0, fades: float = 0.0) -> Frames:
    """Eight frames of a smooth pattern on a wall; it swings, the sensor is noisy, the light fades."""
    rng = np.random.default_rng(0)
    wall = rng.uniform(60, 160, (20, 24)).astype(np.float32)
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    frames = []
    for index in range(8):
        shift = moves_px * np.sin(index * 2.0)
        rows, columns = (y / 8).astype(int) % 20, ((x + shift) / 8).astype(int) % 24
        lit = wall[rows, columns] * (1 - fades * index / 8) + rng.normal(0, noise, (120, 160))
        frames.append(np.repeat(np.clip(lit, 0, 255)[..., None], 3, axis=2))
    return np.asarray(frames, dtype=np.uint8)


def views(count: int = 8, fps: float = 4.0, walks_px: float = 0.0, track: int = 0) -> list[PersonView]:
    none = np.zeros(128, dtype=np.float32)
    boxes = [(40 + walks_px * index, 30.0, FACE, FACE) for index in range(count)]
    return [
        PersonView(index, index / fps, track, box, box, none, 0.8, "face") for index, box in enumerate(boxes)
    ]


def test_a_pattern_that_never_moves_is_still_under_noise_and_fading_light() -> None:
    assert still_faces(scene(), views()) == {0}
    assert still_faces(scene(noise=8.0, fades=0.4), views()) == {0}


def test_what_swings_a_few_pixels_is_alive() -> None:
    assert still_faces(scene(moves_px=6.0), views()) == frozenset()


def test_what_walks_through_the_picture_is_alive() -> None:
    assert still_faces(scene(), views(walks_px=5.0)) == frozenset()


def test_a_moment_proves_nothing() -> None:
    assert still_faces(scene(), views(count=2)) == frozenset()
    assert still_faces(scene(), views(fps=16.0)) == frozenset()


def test_each_track_is_judged_on_its_own() -> None:
    assert still_faces(scene(), [*views(), *views(walks_px=5.0, track=1)]) == {0}
