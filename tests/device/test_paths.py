"""Where the home's files lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.paths import MAX_SOCKET_BYTES, Home, base_bundle
from runtime.contract.errors import ConfigError, StoreError


def test_pvchat_home_wins_over_the_state_directory(tmp_path: Path) -> None:
    environ = {"PVCHAT_HOME": str(tmp_path / "a"), "XDG_STATE_HOME": str(tmp_path / "b")}
    assert Home.from_environment(environ).root == tmp_path / "a"
    del environ["PVCHAT_HOME"]
    assert Home.from_environment(environ).root == tmp_path / "b" / "pvchat-edge"
    assert Home.from_environment({}).root == Path.home() / ".local/state/pvchat-edge"


def test_every_folder_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = Home(tmp_path / "home").create()
    finally:
        os.umask(before)
    folders = [home.root, *(path for path in home.root.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert {home.vault, home.blobs, home.run, home.evidence, home.logs, home.ota} <= set(folders)


def test_a_socket_path_may_have_107_bytes_and_not_one_more() -> None:
    tail = len("/run/runtime.sock")
    fits = Home(Path("/" + "x" * (MAX_SOCKET_BYTES - tail - 1)))
    assert len(fits.runtime_endpoint) == MAX_SOCKET_BYTES + len("ipc://")
    with pytest.raises(ConfigError, match=r"108 bytes.*Set PVCHAT_HOME"):
        _ = Home(Path(f"{fits.root}x")).runtime_endpoint


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make"):
        Home(tmp_path / "file" / "home").create()


def test_without_an_installed_bundle_the_base_bundle_is_used(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    assert home.installed_bundle() is None
    assert home.current_bundle() == base_bundle()
    (home.bundles / "current").write_text("0123456789abcdef\n")
    assert home.current_bundle() == home.bundles / "0123456789abcdef"


@pytest.mark.parametrize("text", ["../../etc", "", "a b", "abc/def", "ä\n"])
def test_a_current_file_that_holds_no_id_is_refused(tmp_path: Path, text: str) -> None:
    home = Home(tmp_path).create()
    (home.bundles / "current").write_text(text)
    with pytest.raises(StoreError, match="current"):
        home.current_bundle()
