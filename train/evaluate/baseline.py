"""The plain baseline: colours of heads, nearest neighbour. Knows no network.

It gets what no box has, the true head boxes, and its best threshold on the very trials that it is scored on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.video import read_video
from train.evaluate.folder import Household
from train.evaluate.trials import presence_trial
from train.rates import best_accuracy
from train.world.files import ClipRecord

Histograms = NDArray[np.float32]
_BINS = (8, 4, 4)
_MIN_PX = 8.0


def crop_knn(homes: Sequence[Household], progress: Callable[[int, int], None]) -> dict[str, float] | None:
    """Best mean accuracy of present and absent on decidable trials; None: there are no head boxes."""
    scores, present = [], []
    for number, home in enumerate(homes, start=1):
        known = {one.person_id: head_colours(one.reference) for one in home.members}
        for clip in home.clips:
            seen = head_colours(clip)
            for member in home.members:
                trial = presence_trial(home, clip, member, "unsure", None)
                mine = known[member.person_id]
                if trial.told and len(mine) and clip.people:
                    scores.append(float((mine @ seen.T).max()) if len(seen) else -1.0)
                    present.append(trial.case == "present")
        progress(number, len(homes))
    if not any(present) or all(present):
        return None
    return {"acc": best_accuracy(np.asarray(scores), np.asarray(present)), "trials": float(len(scores))}


def head_colours(clip: ClipRecord) -> Histograms:
    """float32 (N, 128) unit colour histograms (hue, saturation, value) of every head box in view."""
    frames = read_video(clip.video, fps=clip.fps).clip.frames
    rows = []
    for person in clip.people:
        for box, frame in zip(person.head_boxes, frames, strict=False):
            x, y = max(0, round(box[0])), max(0, round(box[1]))
            crop = frame[y : round(box[1] + box[3]), x : round(box[0] + box[2])]
            if min(crop.shape[:2]) >= _MIN_PX:
                hsv = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2HSV)
                counts = cv2.calcHist([hsv], [0, 1, 2], None, list(_BINS), [0, 180, 0, 256, 0, 256])
                row = np.sqrt(counts.reshape(-1))
                rows.append(row / max(float(np.linalg.norm(row)), 1e-6))
    size = int(np.prod(_BINS))
    return np.asarray(rows, dtype=np.float32) if rows else np.zeros((0, size), dtype=np.float32)
