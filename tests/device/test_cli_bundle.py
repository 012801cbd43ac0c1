"""Installing bundles on the box, and going back."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.bundles import install_bundle, rollback_bundle, selftest
from device.paths import Home
from runtime.contract.bundle import Bundle, FileEntry, Manifest, manifest_to_json
from runtime.contract.calibration import Calibration
from runtime.contract.errors import BundleError
from runtime.contract.pixels import PixelSpec
from tests.device.fake_runtime import short_home


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as made:
        yield made


def _bundle(folder: Path, content: bytes) -> Path:
    (folder / "vision").mkdir(parents=True)
    (folder / "vision" / "data.bin").write_bytes(content)
    entry = FileEntry("vision/data.bin", len(content), hashlib.sha256(content).hexdigest(), "data")
    manifest = Manifest("base", "b" * 64, (entry,), {}, {}, PixelSpec(), Calibration())
    (folder / "manifest.json").write_bytes(manifest_to_json(manifest))
    return folder


def _works(bundle: Path) -> None:
    Bundle.open(bundle).verify()


def _fails(bundle: Path) -> None:
    raise BundleError("golden clip 1 answers something else.")


def test_an_installed_bundle_is_current_and_the_one_before_comes_back(home: Home, tmp_path: Path) -> None:
    first = install_bundle(home, _bundle(tmp_path / "one", b"one"), test=_works)
    second = install_bundle(home, _bundle(tmp_path / "two", b"two"), test=_works)
    assert first != second
    assert home.current_bundle() == home.bundles / second
    assert rollback_bundle(home) == first
    assert home.current_bundle() == home.bundles / first
    assert rollback_bundle(home) == second


def test_the_way_back_from_the_first_bundle_leads_to_the_packages_own(home: Home, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle to go back to"):
        rollback_bundle(home)
    install_bundle(home, _bundle(tmp_path / "one", b"one"), test=_works)
    assert rollback_bundle(home) == "base"
    assert home.installed_bundle() is None


def test_a_bundle_that_fails_its_self_test_changes_nothing(home: Home, tmp_path: Path) -> None:
    first = install_bundle(home, _bundle(tmp_path / "one", b"one"), test=_works)
    with pytest.raises(BundleError, match="golden clip 1"):
        install_bundle(home, _bundle(tmp_path / "two", b"two"), test=_fails)
    assert home.installed_bundle() == first
    assert {path.name for path in home.bundles.iterdir()} == {first, "current", "previous"}


def test_a_bundle_with_one_flipped_byte_is_refused(home: Home, tmp_path: Path) -> None:
    source = _bundle(tmp_path / "one", b"one")
    (source / "vision" / "data.bin").write_bytes(b"onf")
    with pytest.raises(BundleError, match=r"vision/data\.bin has changed"):
        install_bundle(home, source, test=_works)
    assert list(home.bundles.iterdir()) == []


def test_a_bundle_with_a_symbolic_link_is_refused(home: Home, tmp_path: Path) -> None:
    source = _bundle(tmp_path / "one", b"one")
    (source / "vision" / "data.bin").rename(tmp_path / "elsewhere")
    (source / "vision" / "data.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="is a symlink"):
        install_bundle(home, source, test=_works)


def test_the_real_self_test_refuses_a_bundle_without_engines(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="self-test"):
        selftest(_bundle(tmp_path / "one", b"one"))


def test_kill_9_while_installing_leaves_the_old_bundle_or_the_new_one(home: Home, tmp_path: Path) -> None:
    first = install_bundle(home, _bundle(tmp_path / "one", b"one"), test=_works)
    source = _bundle(tmp_path / "two", b"two" * 400_000)
    second = Bundle.open(source).bundle_id
    program = (
        "import sys; from pathlib import Path; from device.bundles import install_bundle\n"
        "from device.paths import Home\n"
        "print('go', flush=True)\n"
        "install_bundle(Home(Path(sys.argv[1])), Path(sys.argv[2]), test=lambda bundle: None)"
    )
    for delay_ms in range(0, 24, 3):
        command = [sys.executable, "-c", program, str(home.root), str(source)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay_ms / 1000)
            process.kill()
        assert home.installed_bundle() in (first, second)
        Bundle.open(home.current_bundle()).verify()
    assert install_bundle(home, source, test=_works) == second
    assert not list(home.bundles.glob("incoming-*"))
