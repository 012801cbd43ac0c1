"""Settings of the runtime process. Knows no sockets and no engines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runtime.contract.settings import load_settings


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """See `configs/runtime/default.toml`, which says the same in a file.

    Attributes:
        device: where engines run; `auto` takes the fastest that is installed, TensorRT where plans are built.
        threads: CPU threads that one engine run may use.
        queue: requests that may wait; one more is refused as busy.
        max_clip_seconds: longer clips are cut to their last seconds.
        save_evidence: whether evidence pictures may be written at all.
        models: folder of the models of others that are installed; None: none are.
        engines: folder of the TensorRT plans that were built here, one folder a bundle; None: none are.
    """

    device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    threads: int = 2
    queue: int = 256
    max_clip_seconds: float = 120.0
    save_evidence: bool = True
    models: Path | None = None
    engines: Path | None = None

    def __post_init__(self) -> None:
        for name in ("threads", "queue"):
            value = getattr(self, name)
            if not 1 <= value <= 1024:
                raise ValueError(f"{name} must be 1 to 1024, got {value}")
        if not 0 < self.max_clip_seconds <= 3600:
            raise ValueError(
                f"max_clip_seconds must be above 0 and at most 3600, got {self.max_clip_seconds}"
            )


def load_runtime_config(path: Path | None) -> RuntimeConfig:
    """The settings in a TOML file, or the defaults.

    Raises:
        ConfigError: the file cannot be read, names an unknown key or a value out of range.
    """
    return RuntimeConfig() if path is None else load_settings(path, RuntimeConfig)
