"""What an evaluation is told. Knows no clips."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """One seed's people and clips; how the clips look is `train.world.sample`'s and cannot be set here.

    Attributes:
        sizes: how many members households have. households: how many of each size.
        strangers: clips of strangers a household, each of somebody else.
        processes: rendering processes and runtimes.
        trained: of how many members the trained adapter is scored, too, at most one a household; none: 0.
        trained_seconds: time limit of each training.
        events_per_camera_day: how often somebody is in view of a camera, for errors a day.
    """

    sizes: tuple[int, ...] = (1, 2, 3)
    households: int = 34
    strangers: int = 20
    processes: int = 2
    trained: int = 30
    trained_seconds: float = 100.0
    events_per_camera_day: int = 50

    def __post_init__(self) -> None:
        if self.strangers < 3:
            raise ValueError(f"strangers must be at least 3 a household, got {self.strangers}")
        if not self.sizes or not all(1 <= size <= 3 for size in self.sizes):
            raise ValueError(f"sizes must be 1 to 3 members, got {self.sizes}")
        if self.trained < 0 or self.trained_seconds <= 0:
            raise ValueError("trained must be 0 or more, trained_seconds above 0")
        for name in ("households", "processes", "events_per_camera_day"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
