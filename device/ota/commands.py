"""What one can do with the update channel: one function a verb, plain values in, a JSON-able dict out.

The workshop: `init_repo`, `add_household`, `add_adapter`, `refresh_repo`. The box: `trust`, `check`, `apply`,
`rollback`, `status`. Knows no argument parser and prints nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.ngclient.fetcher import FetcherInterface

from device.ota.channel import Channel
from device.ota.fetch import open_fetcher
from device.ota.install import Installer, Verdict
from device.ota.ledger import Ledger
from device.ota.live import Live, LiveBox
from device.ota.policy import describe
from device.ota.publish import Repository
from device.ota.selftest import SelfTest, run_self_test
from device.ota.trust import MAX_ROOT_BYTES, check_root
from device.paths import Home
from device.store.records import Person
from device.store.store import Store
from runtime.contract.errors import BusyError, PvchatError, UpdateError, UsageError

STALE_AFTER_S = 72 * 3600
_CHECK = "last_check"
_REFUSAL = "last_refusal"


@dataclass(frozen=True, slots=True)
class Seams:
    """What tests replace; the defaults are the real things.

    Attributes:
        live: None: the home's own daemon.
        fetcher: None: by the repository's address.
        clock: POSIX seconds.
    """

    self_test: SelfTest = run_self_test
    live: Live | None = None
    fetcher: FetcherInterface | None = None
    clock: Callable[[], float] = time.time


# --- the workshop -----------------------------------------------------------------------------------------


def init_repo(folder: Path, keys_dir: Path, household_id: str) -> dict[str, Any]:
    """Make a repository and its keys; the box is then told to trust `root.json`."""
    root = Repository(folder, keys_dir).init(household_id)
    return {
        "repository": str(folder.absolute()),
        "root": str((folder / "root.json").absolute()),
        "root_sha256": hashlib.sha256(root).hexdigest(),
        "household_id": household_id,
        "keys": str(keys_dir.absolute()),
    }


def add_household(folder: Path, keys_dir: Path, household_id: str) -> dict[str, Any]:
    """Let the repository serve one more household, with a key of its own."""
    repository = Repository(folder, keys_dir)
    repository.add_household(household_id)
    return {"repository": str(folder.absolute()), "households": repository.households()}


def add_adapter(
    folder: Path,
    keys_dir: Path,
    adapter_file: Path,
    *,
    release: int | None = None,
    subject_id: str | None = None,
    base: str | None = None,
    household_id: str | None = None,
) -> dict[str, Any]:
    """Publish an adapter file. What is not given is read from the file; what is given must agree with it.

    Raises:
        UsageError: the file says something else, the release is not new, or the household is not clear.
        AdapterError: the file is no adapter.
    """
    said, data = describe(adapter_file)
    for name, given, found in (
        ("release", release, said.release),
        ("subject", subject_id, said.subject_id),
        ("base", base, said.base),
    ):
        if given is not None and given != found:
            raise UsageError(f"{adapter_file} is for {name} {found}, not {given}.", "Pass the right file.")
    repository = Repository(folder, keys_dir)
    households = repository.households()
    if household_id is None and len(households) != 1:
        raise UsageError(f"the repository serves {len(households)} households.", "Say which one.")
    path = repository.add(household_id or households[0], data, said)
    return {"target": path, "bytes": len(data), **said.to_custom()}


def refresh_repo(folder: Path, keys_dir: Path) -> dict[str, Any]:
    """Sign a new timestamp (it lives one day) and whatever else has lived half of its time."""
    return {"repository": str(folder.absolute()), "versions": Repository(folder, keys_dir).refresh()}


# --- the box ----------------------------------------------------------------------------------------------


def trust(home: Home, repository: str, root_file: Path, *, sha256: str | None = None) -> dict[str, Any]:
    """Trust this root, and fetch from there, from now on. `sha256`: what the publisher said the root's is.

    Raises:
        UpdateError: the root is not sound, or another one than the publisher's.
        UsageError: no such file, or an address that is neither a folder nor http(s).
    """
    if "://" not in repository:
        repository = str(Path(repository).absolute())
    open_fetcher(repository)
    root = _read(root_file, MAX_ROOT_BYTES)
    signed = check_root(root)
    digest = hashlib.sha256(root).hexdigest()
    if sha256 is not None and sha256.lower() != digest:
        raise UpdateError(f"the root's sha256 is {digest}, not {sha256}.", "Fetch root.json again.")
    with _locked(home), _ledger(home) as ledger:
        ledger.set_anchor(repository, root)
    return {"repository": repository, "root_version": signed.version, "root_sha256": digest}


def check(home: Home, store: Store, seams: Seams | None = None) -> dict[str, Any]:
    """Look for updates; changes nothing but what is remembered of the repository.

    Raises:
        UpdateError: the repository is not to be trusted. UnavailableError: it cannot be reached.
    """
    seams = seams or Seams()
    with _locked(home), _ledger(home) as ledger:
        installer = _installer(home, store, ledger, seams)
        channel = _refreshed(home, store, ledger, seams)
        verdicts = [installer.consider(channel, person) for person in store.people()]
        known = {verdict.subject_id for verdict in verdicts}
        return {
            "repository": ledger.trusted()[0],
            "subjects": [verdict.to_json() for verdict in verdicts],
            "strangers": [subject for subject in channel.subjects() if subject not in known],
        }


def apply(home: Home, store: Store, subject: str | None = None, seams: Seams | None = None) -> dict[str, Any]:
    """Install what is new, for one subject (name, alias or id) or for all.

    A refusal of one subject does not stop the others; when nothing was installed and something was refused,
    the first refusal is raised.

    Raises:
        UpdateError: refused. UnavailableError: the repository cannot be reached.
        UsageError: an unknown subject.
    """
    seams = seams or Seams()
    wanted = _wanted(store, subject)
    with _locked(home), _ledger(home) as ledger:
        installer = _installer(home, store, ledger, seams)
        installer.finish()
        channel = _refreshed(home, store, ledger, seams)
        applied: list[dict[str, Any]] = []
        refused: list[tuple[Verdict, PvchatError]] = []
        verdicts = [installer.consider(channel, person) for person in wanted]
        for person, verdict in zip(wanted, verdicts, strict=True):
            stopped = verdict.state == "refused" or (verdict.state == "held" and subject is not None)
            try:
                if stopped:
                    raise UpdateError(f"the update of {verdict.subject_id[:9]} is refused: {verdict.reason}")
                if verdict.state == "new" and verdict.offer is not None:
                    record, watched = installer.install(channel, person, verdict.offer)
                    applied.append(
                        {"subject_id": record.subject_id, "release": record.release, "watched": watched}
                    )
            except PvchatError as error:
                _note_refusal(ledger, seams, error, verdict)
                refused.append((verdict, error))
        if refused and not applied:
            raise refused[0][1]
        return {
            "repository": ledger.trusted()[0],
            "applied": applied,
            "refused": [{**verdict.to_json(), "reason": str(error)} for verdict, error in refused],
            "unchanged": [v.subject_id for v in verdicts if v.state in ("current", "held", "nothing")],
        }


def rollback(
    home: Home, store: Store, subject: str | None = None, seams: Seams | None = None
) -> dict[str, Any]:
    """Back to the previous adapter, at once and without network; the one left is not installed again.

    Raises:
        UpdateError: there is no previous adapter. UsageError: an unknown subject.
    """
    seams = seams or Seams()
    people = [person for person in _wanted(store, subject) if subject or person.adapter("previous")]
    if not people:
        raise UpdateError("nobody has a previous adapter.", "See `pvchat-edge ota status`.")
    done: list[dict[str, Any]] = []
    for person in people:
        active = person.adapter()
        back = store.rollback_adapter(person.subject.subject_id)
        done.append(
            {
                "subject_id": back.subject_id,
                "from": active.release if active else 0,
                "to": back.release,
            }
        )
    with _ledger(home) as ledger:
        reloaded = _installer(home, store, ledger, seams).reload_quietly(*(one["subject_id"] for one in done))
    return {"rolled_back": done, "daemon_reloaded": reloaded}


def status(home: Home, store: Store, seams: Seams | None = None) -> dict[str, Any]:
    """What is installed, where it came from, when the box last looked, and what it last refused.

    `fresh` is true after a successful check within 72 h, false after an older one, null when the box's clock
    is not to be believed or it never looked.
    """
    now_s = (seams or Seams()).clock()
    with _ledger(home) as ledger:
        last_check, root = ledger.note(_CHECK), None
        try:
            repository, root = ledger.trusted()
        except UpdateError:
            repository = ""
        fresh: bool | None = None
        if last_check is not None and now_s >= max(ledger.time_floor_s(), last_check["at_s"]) - 600:
            fresh = now_s - last_check["at_s"] <= STALE_AFTER_S
        return {
            "household_id": store.household().household_id,
            "repository": repository or None,
            "root_sha256": hashlib.sha256(root).hexdigest() if root else None,
            "last_check": last_check,
            "fresh": fresh,
            "last_refusal": ledger.note(_REFUSAL),
            "subjects": store.versions(),
        }


def _refreshed(home: Home, store: Store, ledger: Ledger, seams: Seams) -> Channel:
    """A channel whose metadata is checked; a refusal of the whole repository is remembered."""
    household_id = store.household().household_id
    try:
        channel = Channel(home.ota, ledger, household_id, seams.clock(), seams.fetcher)
        channel.refresh()
    except PvchatError as error:
        _note_refusal(ledger, seams, error, None)
        raise
    ledger.set_note(_CHECK, {"at_s": int(seams.clock())})
    return channel


def _note_refusal(ledger: Ledger, seams: Seams, error: PvchatError, verdict: Verdict | None) -> None:
    note: dict[str, Any] = {"at_s": int(seams.clock()), "code": error.code, "reason": str(error)}
    if verdict is not None:
        note.update(subject_id=verdict.subject_id, release=verdict.offered)
    ledger.set_note(_REFUSAL, note)


def _installer(home: Home, store: Store, ledger: Ledger, seams: Seams) -> Installer:
    return Installer(home, store, ledger, seams.self_test, seams.live or LiveBox(home))


def _ledger(home: Home) -> Ledger:
    return Ledger(home.ota / "ledger.db")


@contextmanager
def _locked(home: Home) -> Iterator[None]:
    """One update at a time; the lock goes with the process."""
    home.create()
    handle = os.open(home.ota / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BusyError("another update is under way.", "Try again in a moment.") from error
    finally:
        os.close(handle)


def _wanted(store: Store, subject: str | None) -> list[Person]:
    people = store.people()
    if subject is None:
        return people
    found = [one for one in people if subject == one.subject.subject_id or one.subject.answers_to(subject)]
    if not found:
        raise UsageError(f"nobody here is called {subject!r}.", "See `pvchat-edge person list`.")
    return found


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(limit_bytes + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.", "Check the path.") from error
    if len(data) > limit_bytes:
        raise UsageError(f"{path} has more than {limit_bytes} bytes.", "Pass the right file.")
    return data
