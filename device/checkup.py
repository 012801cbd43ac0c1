"""The checks of `doctor`: each looks at one thing and says ok, warn or fail, and the next step.

Knows no engines: it looks whether they are installed, it does not load them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from device.config import load_config
from device.paths import Home
from device.store.store import Store
from runtime.contract.bundle import Bundle
from runtime.contract.errors import EngineError, PvchatError
from runtime.registry import read_model, registry

FREE_WARN_MIB, FREE_FAIL_MIB = 1024, 128
_PYTHONS = ((3, 10), (3, 13))
_MODULES = ("numpy", "zmq", "msgspec", "safetensors", "tokenizers", "cv2", "av", "tuf")
_FACE_FILES = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")
_INIT = "Run `pvchat-edge init`."


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found; `next_step` is empty when all is well."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    next_step: str = ""


def run_checks(home: Home) -> list[Check]:
    """All checks but the daemon's, in the order in which one would repair."""
    checks: list[Callable[[], Check]] = [
        check_python,
        check_packages,
        check_engine,
        check_faces,
        lambda: check_home(home),
        lambda: check_settings(home),
        lambda: check_store(home),
        lambda: check_sockets(home),
        lambda: check_disk(home),
        lambda: check_bundle(home),
        lambda: check_models(home),
    ]
    return [check() for check in checks]


def check_python() -> Check:
    """3.10 to 3.13."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    if _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        return Check("python", "ok", found)
    return Check("python", "warn", found, "Tested are Python 3.10 to 3.13.")


def check_packages() -> Check:
    """What the base install brings."""
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "Run `pip install pvchat-edge`.")
    return Check("packages", "ok", f"{len(_MODULES)} present")


def check_engine() -> Check:
    """Exactly one build of onnxruntime."""
    found = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    named = " and ".join(f"{name} {_version(name)}" for name in found)
    if len(found) > 1:
        return Check("onnxruntime", "warn", named, "They share a module: uninstall both, then install one.")
    if found or importlib.util.find_spec("onnxruntime") is not None:
        return Check("onnxruntime", "ok", named or "present")
    return Check("onnxruntime", "fail", "not installed", "Run `pip install 'pvchat-edge[cpu]'` (or [gpu]).")


def check_faces() -> Check:
    """dlib and the two model files for faces in real footage."""
    step = "Run `pip install dlib-bin face_recognition_models`."
    if importlib.util.find_spec("dlib") is None and importlib.util.find_spec("_dlib_pybind11") is None:
        return Check("faces", "warn", "dlib is not installed: real footage cannot be used", step)
    spec = importlib.util.find_spec("face_recognition_models")
    folders = [Path(place) / "models" for place in (spec.submodule_search_locations or [])] if spec else []
    missing = [name for name in _FACE_FILES if not any((folder / name).is_file() for folder in folders)]
    if missing:
        return Check("faces", "warn", f"missing: {', '.join(missing)}", step)
    return Check("faces", "ok", f"{len(_FACE_FILES)} model files")


def check_home(home: Home) -> Check:
    """There, ours, and closed to others."""
    try:
        status = home.root.stat()
    except OSError as error:
        return Check("home", "warn", f"{home.root}: {error.strerror}", _INIT)
    if status.st_uid != os.getuid():
        return Check("home", "fail", f"{home.root} belongs to another user", "Set PVCHAT_HOME.")
    if status.st_mode & 0o077:
        mode = f"{status.st_mode & 0o777:04o}"
        return Check("home", "fail", f"{home.root} has mode {mode}", f"Run `chmod 700 {home.root}`.")
    if not os.access(home.root, os.W_OK | os.X_OK):
        return Check("home", "fail", f"{home.root} cannot be written", f"Run `chmod 700 {home.root}`.")
    return Check("home", "ok", str(home.root))


def check_settings(home: Home) -> Check:
    """The settings file can be read, and names cameras."""
    try:
        config = load_config(home.config_file)
    except PvchatError as error:
        return Check("settings", "fail", error.message, error.next_step or f"Edit {home.config_file}.")
    if not home.config_file.exists():
        return Check("settings", "warn", f"no {home.config_file}", _INIT)
    if not config.cameras:
        return Check("settings", "warn", "no cameras", f"Write them into {home.config_file}.")
    return Check("settings", "ok", f"{len(config.rooms)} rooms, {len(config.cameras)} cameras")


def check_store(home: Home) -> Check:
    """The database is whole, and every file that it names is there."""
    if not home.state_db.exists():
        return Check("store", "warn", "nothing stored yet", _INIT)
    try:
        with Store.open(home) as store:
            people = store.people()
    except PvchatError as error:
        return Check("store", "fail", error.message, error.next_step)
    missing = sorted(
        person.subject.name
        for person in people
        if any(one.state != "bad" and not one.path.is_file() for one in person.adapters)
    )
    if missing:
        step = f"Run `pvchat-edge person add {missing[0]} --replace --clip FILE`."
        return Check("store", "fail", f"adapter files are gone: {', '.join(missing)}", step)
    return Check("store", "ok", f"{len(people)} people")


def check_sockets(home: Home) -> Check:
    """Socket paths are short enough."""
    try:
        longest = max(len(os.fsencode(home.endpoint(name))) for name in ("runtime", "daemon"))
    except PvchatError as error:
        return Check("sockets", "fail", error.message, error.next_step)
    return Check("sockets", "ok", f"{longest - len('ipc://')} bytes")


def check_disk(home: Home) -> Check:
    """Room for bundles and evidence."""
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    free_mib = shutil.disk_usage(place).free >> 20
    if free_mib >= FREE_WARN_MIB:
        return Check("disk", "ok", f"{free_mib} MiB free")
    state: Literal["warn", "fail"] = "warn" if free_mib >= FREE_FAIL_MIB else "fail"
    return Check("disk", state, f"{free_mib} MiB free", f"Free some space on the disk of {place}.")


def check_bundle(home: Home) -> Check:
    """Every byte of the bundle in use."""
    try:
        bundle = Bundle.open(home.current_bundle())
        bundle.verify()
    except PvchatError as error:
        return Check("bundle", "fail", error.message, "Run `pvchat-edge bundle install DIR`.")
    return Check("bundle", "ok", f"{bundle.bundle_id} ({bundle.manifest.kind})")


def check_models(home: Home) -> Check:
    """Every byte of the models of others; they are wanted, not needed."""
    found: dict[str, list[str]] = {}
    for card in registry():
        try:
            state = "missing" if read_model(card, home.models) is None else "installed"
        except EngineError:
            state = "damaged"
        found.setdefault(state, []).append(card.name)
    text = "; ".join(f"{state}: {', '.join(found[state])}" for state in sorted(found, reverse=True))
    step = "Run `pvchat-edge models pull`."
    if "damaged" in found:
        return Check("models", "fail", text, step)
    return Check("models", "warn", text, step) if "missing" in found else Check("models", "ok", text)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
