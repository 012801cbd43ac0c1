"""How a generator is told about: its kind, where it lies, what is wanted of it. Knows no generator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """One `[[generators]]` table.

    Attributes:
        kind: `consisid`: diffusers' pipeline; `command`: any program, see `train.augment.generate.command`.
        name: lower case, digits and dashes. licence: of code and weights; required for a command.
        weights: ConsisID's folder, as `save_pretrained` writes it.
        command: the program and its words, with placeholders.
        drivers: clips whose motion is taken over, one made clip each; none: `count` scenes in words.
        width, height: pixels, multiples of 16. frames, fps: of what is generated.
        steps, guidance: of the diffusion. timeout_s: for one clip of a command.
    """

    kind: Literal["consisid", "command"]
    name: str
    licence: str = ""
    weights: Path | None = None
    command: tuple[str, ...] = ()
    drivers: tuple[Path, ...] = ()
    count: int = 10
    width: int = 720
    height: int = 480
    frames: int = 49
    fps: float = 8.0
    steps: int = 50
    guidance: float = 6.0
    timeout_s: float = 1800.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"a generator's name is lower case letters, digits and dashes, got {self.name!r}"
            )
        if self.kind == "command" and not (self.command and self.licence):
            raise ValueError(f"{self.name}: a command needs `command` and `licence`")
        if self.kind == "consisid" and (self.weights is None or self.drivers):
            raise ValueError(f"{self.name}: ConsisID needs `weights`, and takes no drivers")
        if min(self.count, self.frames, self.steps) < 1 or min(self.fps, self.timeout_s) <= 0:
            raise ValueError(f"{self.name}: count, frames, steps, fps and timeout_s are above 0")
        if self.width % 16 or self.height % 16 or min(self.width, self.height) < 16:
            raise ValueError(f"{self.name}: width and height are multiples of 16")
