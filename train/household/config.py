"""What `train.household` is told; the paper's two stages."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rates:
    """A learning rate for each group of parameters."""

    subjects: float = 1e-3
    routers: float = 1e-4
    lora: float = 5e-4
    vision: float = 2e-5


@dataclass(frozen=True, slots=True)
class HouseholdConfig:
    """Two stages as in the paper: images with vision frozen, then video with its last blocks learning.

    Attributes:
        seed: of windows, negatives, rehearsal and batches.
        image_epochs: of stage 1. epochs_each: of both stages together, times the members: 8, 16, 24.
        batch: windows a step; half show a member, half rendered people who are somebody else.
        others: rendered people who are no members. rehearsal: rendered people enrolled beside them, so that
            describing is not forgotten.
        lora_rank, lora_alpha: of the language model's low-rank change. vision_blocks: how many of the last
            blocks learn in stage 2.
        leash: weight of the distance of a member's rows from the instant adapter.
        warmup_steps, clip: see `train.fit`. held_out_share: end of each clip that only measures.
    """

    seed: int = 1
    image_epochs: int = 1
    epochs_each: int = 8
    batch: int = 8
    others: int = 16
    rehearsal: int = 12
    lora_rank: int = 8
    lora_alpha: int = 16
    vision_blocks: int = 1
    leash: float = 0.02
    warmup_steps: int = 10
    clip: float = 1.0
    held_out_share: float = 0.3
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        if not 0 <= self.image_epochs <= self.epochs_each:
            raise ValueError(f"image_epochs must be 0 to epochs_each, got {self.image_epochs}")
        if min(self.batch, self.others, self.rehearsal) < 2:
            raise ValueError("batch, others and rehearsal must be at least 2")
