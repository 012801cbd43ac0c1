"""Any program as a generator: LivePortrait, PhotoMaker, or whatever is installed beside. Knows no shell.

The contract. The words of `command` may hold `{source}` (a PNG of the person), `{driver}` (a video),
`{prompt}`, `{seed}`, `{frames}` and `{out}`. The program ends with 0 within the time limit, and has then
written a video at `{out}.mp4` or a picture at `{out}.png`. It runs in a folder that is deleted afterwards.
"""

from __future__ import annotations

import string
import tempfile
from pathlib import Path

import cv2

from runtime.contract.errors import ConfigError, ContentError
from runtime.video import read_video
from train.augment.command import run_command
from train.augment.generate.config import GeneratorConfig
from train.augment.generate.order import Frames, Order

PLACEHOLDERS = frozenset({"source", "driver", "prompt", "seed", "frames", "out"})


class CommandGenerator:
    """A program that is started once a clip."""

    def __init__(self, config: GeneratorConfig) -> None:
        """Check the words.

        Raises:
            ConfigError: an unknown placeholder, or none where one is needed.
        """
        self.name, self.licence = config.name, config.licence
        self._config = config
        used = {place for word in config.command for place in _places(word, config.name)}
        if unknown := sorted(used - PLACEHOLDERS):
            raise ConfigError(
                f"{config.name}: the command has a placeholder {{{unknown[0]}}}.",
                f"There are: {', '.join(sorted(PLACEHOLDERS))}.",
            )
        needed = {"source", "out"} | ({"driver"} if config.drivers else set())
        if missing := sorted(needed - used):
            raise ConfigError(f"{config.name}: the command lacks {{{missing[0]}}}.", "Add it to the words.")
        self.settings = repr((config.command, config.frames, config.fps))

    def generate(self, order: Order) -> tuple[Frames, float]:
        """See `Generator.generate`."""
        with tempfile.TemporaryDirectory(prefix="pvchat-generate-") as folder:
            source, out = Path(folder) / "source.png", Path(folder) / "out"
            _, raw = cv2.imencode(".png", order.still[..., ::-1])
            source.write_bytes(raw.tobytes())
            values = {
                "source": str(source), "driver": "" if order.driver is None else str(order.driver.absolute()),
                "prompt": order.prompt, "seed": str(order.seed), "frames": str(self._config.frames),
                "out": str(out),
            }  # fmt: skip
            run_command(
                self.name, [word.format_map(values) for word in self._config.command],
                timeout_s=self._config.timeout_s, limit="timeout_s", folder=Path(folder),
            )  # fmt: skip
            for suffix in (".mp4", ".png"):
                if (made := out.with_suffix(suffix)).is_file():
                    video = read_video(made, fps=self._config.fps)
                    return video.clip.frames, self._config.fps
        raise ContentError(
            f"{self.name} ended well and wrote neither {out.name}.mp4 nor {out.name}.png.",
            "See docs/datasets.md for what a command is to do.",
        )


def _places(word: str, name: str) -> list[str]:
    try:
        return [place for _, place, _, _ in string.Formatter().parse(word) if place is not None]
    except ValueError as error:
        raise ConfigError(f"{name}: {word!r} is no word with placeholders: {error}.") from error
