"""What all tests share: the folder of real footage, and `--box`, the run without the workshop."""

from __future__ import annotations

import ast
import importlib.util
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
WORKSHOP_PACKAGES = ("train", "export")
WORKSHOP_LIBRARIES = ("torch", "transformers", "peft", "optimum", "onnx", "onnxscript", "onnxruntime_genai")
# A busy machine is no failure: hypothesis judges results here, pytest-timeout judges time.
settings.register_profile(
    "project", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")
_LEFT_OUT = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips, read-only; a test that wants it is skipped where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data with the real clips is not beside the project")
    return SHARED_DATA


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--box", action="store_true", help="leave out, and name, test files that import the workshop"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = {}
    # A shell's background job ignores Ctrl-C, and so would every program that the tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Only with `--box`: without it a missing library has to fail, never to shorten the run."""
    if not config.getoption("--box") or not collection_path.match("test_*.py"):
        return None
    needs = sorted(workshop_imports(collection_path))
    if not needs:
        return None
    config.stash[_LEFT_OUT][collection_path.relative_to(ROOT).as_posix()] = ", ".join(needs)
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of the GPU are not this machine's where it has none, or no TensorRT."""
    here = any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/nvhost-gpu"))
    if here and importlib.util.find_spec("tensorrt") is not None:
        return
    others = [item for item in items if item.get_closest_marker("gpu")]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash[_LEFT_OUT]
    for name, needs in sorted(left_out.items()):
        terminalreporter.write_line(f"NOT RUN ON THE BOX: {name} (imports {needs})")
    if not SHARED_DATA.is_dir():
        terminalreporter.write_line(
            "NOT RUN: tests on real footage, ../shared/data is not beside the project"
        )


def workshop_imports(path: Path, seen: frozenset[Path] = frozenset()) -> set[str]:
    """What a test file needs, itself or through helpers under tests/, that is not installed here."""
    if path in seen or not path.is_file():
        return set()
    needs: set[str] = set()
    for name in _imported_names(path):
        top = name.split(".")[0]
        if top in WORKSHOP_PACKAGES or (top in WORKSHOP_LIBRARIES and not importlib.util.find_spec(top)):
            needs.add(top)
        elif top == "tests":
            helper = ROOT.joinpath(*name.split(".")).with_suffix(".py")
            needs |= workshop_imports(helper, seen | {path})
    return needs


def _imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
