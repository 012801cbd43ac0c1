"""Which files are the project's: what git tracks, or would if asked. Knows nothing of what is in them."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = ("train", "export", "runtime", "device")


def project_files() -> list[Path]:
    """Tracked files and new ones that are not ignored, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in sorted(set(listed.split("\0"))) if name]
    return [path for path in paths if path.is_file() or path.is_symlink()]


def python_files(*folders: str) -> list[Path]:
    """The project's Python files under some top-level folders."""
    return [
        path for path in project_files() if path.suffix == ".py" and relative(path).split("/")[0] in folders
    ]


def relative(path: Path) -> str:
    """A path as the project says it."""
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=relative(path))
