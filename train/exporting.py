"""Exports from the workshop: the exporter stands above `train`, so it is run as a program.

Knows no engines.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import configs
from runtime.contract.errors import EngineError, PvchatError


def export_config() -> Path:
    """The settings of an export for a plain CPU.

    Raises:
        PvchatError: the installed package lacks them.
    """
    path = Path(str(configs.__file__)).parent / "export" / "cpu.toml"
    if not path.is_file():
        raise PvchatError(f"there is no {path}.", "Install pvchat-edge again.")
    return path


def export_checkpoint(checkpoint: Path, out: Path) -> Path:
    """A bundle of a base checkpoint, proven against torch.

    Raises:
        EngineError: the exporter refused it; what it said is in the message.
    """
    command = [sys.executable, "-m", "export", str(export_config()), "--checkpoint", str(checkpoint)]
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise EngineError(f"the export of {checkpoint} failed: {last[0]}", "Run `python -m export` yourself.")
    return out
