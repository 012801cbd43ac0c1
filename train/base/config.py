"""What `train.base` is told. Knows no defaults of the machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from train.fit import FitConfig
from train.model.pvchat import ModelConfig


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """The rendered training set.

    Attributes:
        seed: of identities, scripts and pixels.
        identities: people; every second one is a look-alike of the one before (1 to 5 differing head traits).
        clips_each: clips a person; the first is a reference clip, alone and well lit.
        held_out: people of the training split kept for calibration, never trained on.
        processes: rendering processes.
    """

    seed: int = 1
    identities: int = 2200
    clips_each: int = 4
    held_out: int = 300
    processes: int = 2

    def __post_init__(self) -> None:
        if min(self.held_out, self.identities - self.held_out) < 3:
            raise ValueError("a clip may show three people: at least 3 must be held out and 3 trained on")

    @property
    def training_clips(self) -> int:
        """How many clips, from the first on, are for training; the others show people held out."""
        return (self.identities - self.held_out) * self.clips_each


@dataclass(frozen=True, slots=True)
class HeadDataConfig:
    """The rendered heads that identity is learned from.

    Attributes:
        seed: of identities, scripts and pixels.
        people: how many; an even number, every second one a look-alike of the one before.
        processes: rendering processes.
    """

    seed: int = 2
    people: int = 36000
    processes: int = 2

    def __post_init__(self) -> None:
        if self.people < 2 or self.people % 2:
            raise ValueError(
                f"people come in pairs of look-alikes: an even number is needed, got {self.people}"
            )


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One stage: the loop's settings and the batch size."""

    fit: FitConfig
    batch: int


@dataclass(frozen=True, slots=True)
class BaseConfig:
    """Everything that makes a base.

    Attributes:
        head, vision, body: supervised pretraining of the encoders (not part of the paper's recipe).
        tracks: the person tokens of the bridge alone.
        bridge: episodes of one to three enrolled people on frozen tokens.
        language: questions and answers; bridge and language model together.
        token_only: share of bridge episodes with scene tokens dropped and identity tokens simulated.
        described_with: enrolled people in a prompt for a description, 1 to 3: as many as stage language saw.
        calibration_people: of the held-out people, how many are asked about, half to fit and half to measure.
        threads: torch threads.
    """

    head: StageConfig
    vision: StageConfig
    body: StageConfig
    tracks: StageConfig
    bridge: StageConfig
    language: StageConfig
    world: WorldConfig = field(default_factory=WorldConfig)
    heads: HeadDataConfig = field(default_factory=HeadDataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    seed: int = 1
    token_only: float = 0.35
    described_with: int = 1
    calibration_people: int = 120
    threads: int = 2
