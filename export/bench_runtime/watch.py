"""How many cameras one core can watch for everybody enrolled. Knows no decoder: watching needs none.

Counted in seconds of CPU, of all threads of the process together, so that a machine with more cores or other
work gives the same figure.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from export.bench_runtime.household import Enrolled, forever
from export.bench_runtime.live import Live
from export.bench_runtime.scenes import Show
from runtime.config import RuntimeConfig
from runtime.contract.dialogue import Intent
from runtime.session.models import load_models

CAMERA_FPS = 2.0


@dataclass(frozen=True, slots=True)
class WatchFigures:
    """CPU milliseconds of one look at one camera: with what is remembered, and afresh each time."""

    look_ms: float
    afresh_ms: float

    @property
    def cameras(self) -> float:
        """Cameras that one core can watch, a look at every frame."""
        return 1000 / (self.look_ms * CAMERA_FPS)

    @property
    def cameras_afresh(self) -> float:
        """The same with nothing remembered."""
        return 1000 / (self.afresh_ms * CAMERA_FPS)


def measure_watch(enrolled: Enrolled, shows: Sequence[Show], looks: int) -> WatchFigures:
    """Look at every camera in turn, each time after its next frame.

    Args:
        looks: at each camera; a window's worth of looks before them warms up.
    """
    config = RuntimeConfig(threads=1)
    models = load_models(enrolled.bundle, config)
    spec = models.manifest.pixels
    every = round(spec.window_fps / CAMERA_FPS)
    session, spent_s, afresh_s = enrolled.session(models, config), 0.0, 0.0
    with contextlib.ExitStack() as stack:
        cameras = [stack.enter_context(Live(show, spec.window_fps)) for show in shows]
        for camera in cameras:
            camera.advance(spec.window_frames, every=every)
            session.answer(camera.source, Intent("who"), {}, None, forever)
        for _ in range(looks):
            for camera in cameras:
                camera.advance(1, every=every)
                began_s = time.process_time()
                session.answer(camera.source, Intent("who"), {}, None, forever)
                spent_s += time.process_time() - began_s
                fresh = enrolled.session(models, config)
                began_s = time.process_time()
                fresh.answer(camera.source, Intent("who"), {}, None, forever)
                afresh_s += time.process_time() - began_s
    count = looks * len(shows)
    return WatchFigures(spent_s / count * 1000, afresh_s / count * 1000)
