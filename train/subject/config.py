"""What `train.subject` is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SubjectConfig:
    """Two stages as in the paper: images first (one frame held still), then video.

    Attributes:
        seed: of windows, negatives and initial low-rank changes.
        image_steps, video_steps: upper limits; the time limit may end a stage earlier.
        batch: windows a step, about half of them without the person.
        learning_rate: of queries and low-rank changes.
        negatives: rendered people that are not this person; half of them look like them.
        copies: how often each window of the clip is shown, every time but the first varied.
        pool: rendered people among whom look-alikes are searched.
        held_out_share: share of windows, by time, that only measure.
        leash: weight of the distance from the instant adapter.
    """

    seed: int = 1
    image_steps: int = 30
    video_steps: int = 120
    batch: int = 12
    learning_rate: float = 2e-3
    negatives: int = 16
    copies: int = 3
    pool: int = 60
    held_out_share: float = 0.3
    leash: float = 0.02
