"""What no file of the project says: where it was written, or that it is not finished."""

from __future__ import annotations

import re

import pytest

from tests.architecture.project_files import project_files, relative

# Put together here, so that this file does not say them itself.
MACHINE_PATHS = re.compile(
    r"(?<![\w.~$}])/(?:" + "|".join(["work", "root", r"home/\w+", r"Users/\w+"]) + ")/"
)
UNFINISHED = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{relative(path)}:{number}: {line.strip()[:100]}")
    return found


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert lines_with(MACHINE_PATHS) == []


def test_nothing_is_marked_as_unfinished() -> None:
    assert lines_with(UNFINISHED) == []


@pytest.mark.parametrize("folder", ["work", "root", "home/ann", "Users/ann"])
def test_a_path_of_a_machine_would_be_noticed(folder: str) -> None:
    assert MACHINE_PATHS.search(f'"/{folder}/clip.mp4"')
    assert not MACHINE_PATHS.search(f"docs/{folder}/clip.mp4")


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME"])
def test_a_mark_of_unfinished_work_would_be_noticed(word: str) -> None:
    assert UNFINISHED.search(f"# {word}: later")
    assert not UNFINISHED.search(f"{word}S")
