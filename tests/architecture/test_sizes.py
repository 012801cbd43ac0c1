"""Files and functions stay small. The lists of exceptions may only shrink."""

from __future__ import annotations

import ast
import statistics
from functools import lru_cache

from tests.architecture.project_files import SHIPPED, parse, python_files, relative

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_MEDIAN_LINES = 150
LONG_FILES: dict[str, int] = {"tests/runtime/test_client_server.py": 432}
LONG_FUNCTIONS: dict[str, int] = {}


@lru_cache(maxsize=1)
def file_lines() -> dict[str, int]:
    files = python_files(*SHIPPED, "tests")
    return {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}


@lru_cache(maxsize=1)
def function_lines() -> dict[str, int]:
    found: dict[str, int] = {}
    for path in python_files(*SHIPPED, "tests"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                name = f"{relative(path)}:{node.name}"
                found[name] = max(length, found.get(name, 0))
    return found


def over(lengths: dict[str, int], limit: int, exceptions: dict[str, int]) -> dict[str, int]:
    return {name: lines for name, lines in lengths.items() if lines > exceptions.get(name, limit)}


def test_no_file_is_longer_than_400_lines_and_no_exception_grows() -> None:
    assert over(file_lines(), MAX_FILE_LINES, LONG_FILES) == {}


def test_no_function_is_longer_than_60_lines_and_no_exception_grows() -> None:
    assert over(function_lines(), MAX_FUNCTION_LINES, LONG_FUNCTIONS) == {}


def test_an_exception_that_is_no_longer_needed_is_taken_off_its_list() -> None:
    files, functions = file_lines(), function_lines()
    assert [name for name in LONG_FILES if files.get(name, 0) <= MAX_FILE_LINES] == []
    assert [name for name in LONG_FUNCTIONS if functions.get(name, 0) <= MAX_FUNCTION_LINES] == []


def test_the_median_file_has_at_most_150_lines() -> None:
    lengths = file_lines()
    assert len(lengths) > 100
    assert statistics.median(lengths.values()) <= MAX_MEDIAN_LINES
