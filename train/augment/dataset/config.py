"""What `train.augment` is told. Knows no files."""

from __future__ import annotations

from dataclasses import dataclass, field

from train.augment.generate.config import GeneratorConfig
from train.augment.vary.motion import DRIVERS


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """How views are told apart: DBSCAN (Ester et al., 1996) over distances, then looser, then one person.

    Distances are those of the eyes in use: dlib's for faces (same person 0.16, others from 0.41 on), one
    minus the cosine for heads of the rendered world. The paper's own values (0.6 and 3; 0.7 and 2) are for
    FaceNet's cosine and mean something else here.

    Attributes:
        eps, min_samples: DBSCAN's. loose_eps, loose_min_samples: where it calls everything noise.
    """

    eps: float = 0.38
    min_samples: int = 3
    loose_eps: float = 0.45
    loose_min_samples: int = 2


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """One person's dataset.

    Attributes:
        seed: everything follows from it and from the bytes of the clips.
        fps: frames per second that clips are read at, and made clips have.
        clip_frames: frames of a made clip.
        cluster: how people are told apart.
        drivers: portrait motions, applied to the best still and to every negative.
        looks: mixes of light, framing, clothes and so on, made of the clip itself.
        mix: variations in one of them, at most.
        same_above: likeness to the source below which a made clip is dropped; None: the eyes' own.
        similar: hard negatives taken from the folder of faces. look_alikes: rendered ones. random: others.
        questions_each: of each kind, about each clip.
        canonical_share: of questions in the wording that the runtime uses.
        rewriter: a program that puts answers into other words, and its arguments; empty: none.
        rewrite_timeout_s: for all answers of a dataset.
        generators: networks of others that make clips of the best still; none unless somebody installed one.
    """

    seed: int = 1
    fps: float = 4.0
    clip_frames: int = 8
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    drivers: tuple[str, ...] = ("angry", "no", "query", "smile", "yes")
    looks: int = 40
    mix: int = 3
    same_above: float | None = None
    similar: int = 5
    look_alikes: int = 5
    random: int = 10
    questions_each: int = 2
    canonical_share: float = 0.5
    rewriter: tuple[str, ...] = ()
    rewrite_timeout_s: float = 3600.0
    generators: tuple[GeneratorConfig, ...] = ()

    def __post_init__(self) -> None:
        if min(self.clip_frames, self.mix, self.questions_each) < 1 or self.fps <= 0:
            raise ValueError("clip_frames, mix and questions_each are 1 at least, fps is above 0")
        unknown = sorted(set(self.drivers) - set(DRIVERS))
        if unknown or not self.drivers:
            raise ValueError(f"drivers are some of {', '.join(DRIVERS)}, got {list(self.drivers)}")
        if min(self.looks, self.similar, self.look_alikes, self.random) < 0:
            raise ValueError("looks, similar, look_alikes and random are 0 at least")
