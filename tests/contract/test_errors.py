"""Claims about the tree of public errors."""

from __future__ import annotations

import pytest

from runtime.contract import errors
from runtime.contract.errors import PvchatError, all_errors

EXIT_CODES = {
    "error": 5, "content": 5, "bundle": 5, "adapter": 5, "store": 5, "update": 5, "refused": 6,
    "usage": 2, "config": 2, "consent": 2, "access": 2, "unavailable": 4, "engine": 4,
    "camera": 4, "deadline": 4, "busy": 4, "wire": 4,
}  # fmt: skip


def classes() -> list[type[PvchatError]]:
    found = [getattr(errors, name) for name in dir(errors)]
    return [one for one in found if isinstance(one, type) and issubclass(one, PvchatError)]


def test_every_error_has_its_own_code() -> None:
    codes = [cls.code for cls in classes()]
    assert len(set(codes)) == len(codes)
    assert {cls.code: cls for cls in classes()} == {
        code: cls for code, cls in all_errors().items() if cls.__module__ == errors.__name__
    }


def test_exit_codes_are_the_documented_ones() -> None:
    assert {cls.code: cls.exit_code for cls in classes()} == EXIT_CODES


def test_the_docstring_draws_every_class() -> None:
    drawn = str(errors.__doc__)
    assert [cls.__name__ for cls in classes() if f"* {cls.__name__}" not in drawn] == []


@pytest.mark.parametrize("cls", classes())
def test_an_error_says_what_happened_and_then_the_next_step(cls: type[PvchatError]) -> None:
    assert str(cls("the file has 3 bytes.", "Copy it again.")) == "the file has 3 bytes. Copy it again."
    assert str(cls("the file has 3 bytes.")) == "the file has 3 bytes."
