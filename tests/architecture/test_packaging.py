"""The guards that make plain top-level package names safe (docs/adr/0001)."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

import pytest

from tests.architecture.project_files import ROOT, SHIPPED, project_files, python_files, relative

PACKAGES = (*SHIPPED, "configs")


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_name_means_the_folder_of_this_checkout(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).resolve() == ROOT / name / "__init__.py"


def test_nobody_else_in_this_environment_owns_our_names() -> None:
    owners = metadata.packages_distributions()
    assert {name: set(owners.get(name, [])) for name in PACKAGES} == {
        name: {"pvchat-edge"} for name in PACKAGES
    }


def test_no_folder_under_tests_is_a_package() -> None:
    """With tests/train/__init__.py, `import train` could be the folder of tests."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_name_tests_means_this_folder_only() -> None:
    """Helpers are imported as tests.…; a stranger's regular package of that name would win."""
    spec = importlib.util.find_spec("tests")
    assert spec is not None and spec.origin is None
    assert {Path(place).resolve() for place in spec.submodule_search_locations or ()} == {ROOT / "tests"}


def test_every_top_level_package_is_one_that_the_wheel_holds() -> None:
    found = {relative(path).split("/")[0] for path in project_files() if path.name == "__init__.py"}
    assert found == set(PACKAGES)


def test_every_folder_with_code_is_a_package() -> None:
    """A folder without __init__.py is found in a checkout and missing from the wheel."""
    folders = {path.parent for path in python_files(*PACKAGES)}
    assert [relative(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
