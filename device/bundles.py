"""Installing a bundle on the box and going back to the one before. Knows no engines.

`bundles/incoming-…` → verify → self-test in a child process → rename to `bundles/<id>` → flip of the text
file `current`. After a crash `current` names the old bundle or the new one, whole.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from device.paths import Home
from device.store.blobs import fsync_folder, write_atomically
from runtime.contract.bundle import Bundle
from runtime.contract.errors import BundleError, EngineError, StoreError

SELFTEST_TIMEOUT_S = 300
_INCOMING = "incoming-"


def install_bundle(home: Home, source: Path, *, test: Callable[[Path], None] | None = None) -> str:
    """Copy, verify, self-test, and make it the current bundle; returns its id.

    Args:
        test: raises when a bundle does not work; None: `selftest`.

    Raises:
        BundleError: damaged, too new, or the self-test fails; the box stays on what it had.
        StoreError: it cannot be written.
    """
    home.create()
    bundle = Bundle.open(source)
    bundle.verify()
    target = home.bundles / bundle.bundle_id
    if not target.exists():
        _discard_left_overs(home)
        incoming = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=home.bundles))
        try:
            _copy(source, incoming)
            copied = Bundle.open(incoming)
            copied.verify()
            if copied.bundle_id != bundle.bundle_id:
                raise BundleError(f"{source} changed while it was copied.", "Install it again.")
            (test or selftest)(incoming)
            incoming.rename(target)
            fsync_folder(home.bundles)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
    _flip(home, bundle.bundle_id)
    return bundle.bundle_id


def rollback_bundle(home: Home) -> str:
    """Make the bundle before the current one current; returns its id, or `base` for the package's own.

    Raises:
        BundleError: there is none, or it is damaged.
    """
    previous = _read(home.bundles / "previous")
    if previous is None:
        raise BundleError(
            "there is no bundle to go back to.", "Install one with `pvchat-edge bundle install DIR`."
        )
    if previous != "base":
        Bundle.open(home.bundles / previous).verify()
    _flip(home, previous)
    return previous


def selftest(bundle: Path, adapter: Path | None = None) -> None:
    """Run the bundle's golden clips, and one adapter when given, in a process of their own.

    Raises:
        BundleError: it fails, dies, or takes longer than 300 s.
    """
    extra = [] if adapter is None else ["--adapter", str(adapter)]
    command = [sys.executable, "-m", "runtime", "selftest", str(bundle), *extra]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SELFTEST_TIMEOUT_S,
            env=child_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"the self-test of {bundle} took longer than {SELFTEST_TIMEOUT_S} s.") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        why = said[-1] if said else "it said nothing"
        raise BundleError(
            f"the self-test of {bundle.name} failed (exit code {done.returncode}): {why}.",
            "The box stays on the bundle it had.",
        )


def build_engines(home: Home, bundle: Path) -> dict[str, Any]:
    """Build a bundle's TensorRT plans in a process of their own; returns its report.

    Raises:
        BundleError: a damaged bundle, or one that has nothing to build.
        EngineError: no TensorRT or no GPU here, or the build fails.
    """
    home.create()
    command = [sys.executable, "-m", "runtime", "build-engines", str(bundle), "--engines", str(home.engines)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=child_environment(),
        check=False,
    )
    if done.returncode == 0:
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report
    said = done.stderr.strip().splitlines() or ["it said nothing"]
    why = said[-1].removeprefix("pvchat-edge runtime: ")
    raise (EngineError if done.returncode == EngineError.exit_code else BundleError)(why)


def child_environment() -> dict[str, str]:
    """This process's environment, with which a child finds the same packages as we did."""
    import device

    packages = str(Path(str(device.__file__)).parent.parent)
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{before}" if before else packages}


def _flip(home: Home, bundle_id: str) -> None:
    current, previous = home.bundles / "current", home.bundles / "previous"
    now = _read(current) or "base"
    if now == bundle_id:
        return
    write_atomically(previous, f"{now}\n")
    if bundle_id == "base":
        current.unlink(missing_ok=True)
        fsync_folder(home.bundles)
    else:
        write_atomically(current, f"{bundle_id}\n")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        for folder, _, names in os.walk(target):
            for name in names:
                _sync_file(Path(folder) / name)
            fsync_folder(Path(folder))
    except (OSError, shutil.Error) as error:
        raise StoreError(
            f"cannot copy {source} to {target}: {error}.", "Check the disk's free space."
        ) from error


def _sync_file(path: Path) -> None:
    if path.is_symlink():
        return
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _discard_left_overs(home: Home) -> None:
    for path in home.bundles.glob(f"{_INCOMING}*"):
        shutil.rmtree(path, ignore_errors=True)
