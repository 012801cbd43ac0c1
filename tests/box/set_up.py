"""Builds the box's environment (Python 3.10, the oldest onnxruntime it may meet, no torch) and tests there.

Standard library only. The environment stays in `.venv-box` and is built again when its recipe changes. Knows
nothing of what the tests claim. Where there is no Python 3.10 it says so and ends with exit code 0.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import tomllib

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-box"
BIN = VENV / "bin"
STAMP = VENV / ".recipe"
ENGINE = "onnxruntime==1.23.2"
# `onnx` writes the tiny graphs that tests feed to the real engine; a test looks that the program never
# imports it.
TOOLS = ("pytest>=8.4", "pytest-timeout>=2.3", "hypothesis>=6.130", "psutil>=6", "onnx>=1.18", "httpx>=0.28")
FORBIDDEN = ("torch", "transformers", "peft", "optimum", "onnxscript")
TESTS = (
    "tests/contract",
    "tests/runtime",
    "tests/device/test_store.py",
    "tests/device/test_person.py",
    "tests/device/test_config.py",
    "tests/device/test_paths.py",
    "tests/device/test_combine.py",
    "tests/device/test_ota_apply.py",
    "tests/device/test_http.py",
    "tests/device/test_http_guard.py",
    "tests/box",
    "tests/architecture/test_no_torch.py",
)
PYTHON_VARIABLE = "PVCHAT_BOX_PYTHON"
_PROVE = """
import importlib.metadata, importlib.util, sys
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
if found:
    sys.exit(f"the box environment holds {found}, which must not be there")
print(f"box: Python {sys.version.split()[0]}, onnxruntime {importlib.metadata.version('onnxruntime')},"
      f" numpy {importlib.metadata.version('numpy')}; none of {', '.join(sys.argv[1:])}")
"""


def main() -> int:
    """Exit code of the tests, or 0 where the box cannot be tested."""
    python = find_python()
    if python is None:
        say(
            "BOX ENVIRONMENT NOT TESTED: no Python 3.10 found",
            f"(looked at ${PYTHON_VARIABLE}, python3.10 on PATH and ~/.pyenv/versions/3.10*).",
        )
        return 0
    recipe = recipe_of(python)
    if not (STAMP.is_file() and STAMP.read_text() == recipe):
        build(python, recipe)
    subprocess.run([BIN / "python", "-c", _PROVE, *FORBIDDEN], check=True, cwd=ROOT)
    command: list[str | Path] = [
        BIN / "python",
        "-m",
        "pytest",
        "--box",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        *TESTS,
    ]
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def find_python() -> Path | None:
    """A Python 3.10 that really runs and can make environments (a pyenv shim may stand for nothing)."""
    return next((path for path in candidates() if runs(path)), None)


def candidates() -> Iterator[Path]:
    """Where a Python 3.10 may be, best first."""
    chosen = os.environ.get(PYTHON_VARIABLE)
    if chosen:
        yield Path(chosen)
    on_path = shutil.which("python3.10")
    if on_path:
        yield Path(on_path)
        # a shim of a version manager: the real ones lie beside the folder of shims
        yield from sorted(Path(on_path).parent.parent.glob("versions/3.10*/bin/python"), reverse=True)
    yield from sorted(Path.home().glob(".pyenv/versions/3.10*/bin/python"), reverse=True)


def runs(python: Path) -> bool:
    """Whether this is a working Python 3.10 with venv and pip."""
    code = "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 10))"
    try:
        return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def recipe_of(python: Path) -> str:
    """Changes when the environment has to be built again: not when a linter gets another option."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    told = [project["build-system"], project["project"], project["tool"]["setuptools"]]
    return hashlib.sha256(json.dumps([told, str(python), ENGINE, TOOLS]).encode()).hexdigest()


def build(python: Path, recipe: str) -> None:
    """Make the environment from nothing; the stamp comes last, so a broken one is never taken for whole."""
    started = time.monotonic()
    say(f"box: building {VENV.name} with {ENGINE}, no torch; the downloads are about 300 MB …")
    subprocess.run([python, "-m", "venv", "--clear", VENV], check=True, cwd=ROOT)
    pip: list[str | Path] = [BIN / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--upgrade", "pip"], check=True, cwd=ROOT)
    subprocess.run([*pip, "--editable", ".[http]", ENGINE, *TOOLS], check=True, cwd=ROOT)
    STAMP.write_text(recipe)
    say(f"box: built in {time.monotonic() - started:.0f} s")


def say(*words: str) -> None:
    """A line on standard output, at once: what follows comes from other processes."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
