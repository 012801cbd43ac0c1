"""A clone stays small: weights and clips are made or fetched, not piled up."""

from __future__ import annotations

from tests.architecture.project_files import project_files, relative

MAX_FILE_BYTES = 20_000_000
MAX_ALL_BYTES = 60_000_000


def sizes() -> dict[str, int]:
    return {relative(path): path.lstat().st_size for path in project_files()}


def test_no_file_is_larger_than_20_mb() -> None:
    assert {name: size for name, size in sizes().items() if size > MAX_FILE_BYTES} == {}


def test_all_files_together_are_smaller_than_60_mb() -> None:
    assert 0 < sum(sizes().values()) < MAX_ALL_BYTES


def test_no_file_is_a_link() -> None:
    """Links break in archives and on other systems, and a bundle refuses them."""
    assert [relative(path) for path in project_files() if path.is_symlink()] == []
