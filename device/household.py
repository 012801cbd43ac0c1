"""Finding, adding and forgetting people of this home. Knows no sockets: how to enrol is handed in.

Learning happens in a folder of its own under `vault/incoming`; what is learned enters the store in one
transaction at the very end, so a command that is killed leaves nobody half enrolled.
"""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.paths import Home
from device.store.people import check_consent, check_names_are_free
from device.store.records import Consent, NewAdapter, Person
from device.store.store import Store
from runtime.atomic import write_atomic
from runtime.contract.errors import ContentError, PvchatError, StoreError, UsageError
from runtime.contract.household import Subject, check_name, fold
from runtime.contract.serving import EnrolReport, EnrolRequest

Enrol = Callable[[EnrolRequest], EnrolReport]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What `person add` was told.

    Attributes:
        clips: video files of this person; `which` is about the first.
        which: person of the contact sheet, from 1; None: there must be only one.
        base: fingerprint of the base that makes the adapter.
        replace: enrol somebody again who is there already.
        sheet_copy: where a contact sheet is left when enrolment is refused; None: nowhere.
    """

    name: str
    aliases: tuple[str, ...]
    clips: tuple[Path, ...]
    which: int | None
    consent: Consent
    base: str
    replace: bool = False
    sheet_copy: Path | None = None


def find_person(store: Store, word: str) -> Person:
    """The person who answers to `word`.

    Raises:
        UsageError: nobody does; the nearest name is given.
    """
    people = store.people()
    found = next((person for person in people if person.subject.answers_to(word)), None)
    if found is not None:
        return found
    known = {fold(name): name for one in people for name in (one.subject.name, *one.subject.aliases)}
    near = difflib.get_close_matches(fold(word), known, n=1, cutoff=0.5)
    if near:
        raise UsageError(f"nobody here is called {word!r}.", f"Did you mean {known[near[0]]!r}?")
    hint = (
        f"Enrolled: {', '.join(one.subject.name for one in people)}." if people else "Nobody is enrolled yet."
    )
    raise UsageError(f"nobody here is called {word!r}.", hint)


def clip_file(path: Path) -> Path:
    """The absolute path of a file that can be opened; a pipe or a device is none, and is not waited for.

    Raises:
        UsageError: it cannot.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no file but a pipe, socket or device"
            raise UsageError(f"{path} is {what}.", "Give one video file.")
        with path.open("rb"):
            return path.absolute()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {path}: {why}.", "Check the path.") from error


def check_enrolment(store: Store, wanted: Enrolment) -> None:
    """Refuse early, before any model is loaded, what the store would refuse at the end.

    Raises:
        UsageError: a name that is taken or impossible, or --replace for nobody.
        ConsentError: nobody consents, or not any more.
    """
    for name in (wanted.name, *wanted.aliases):
        check_name(name)
    check_consent(wanted.consent)
    if wanted.which is not None and wanted.which < 1:
        raise UsageError(f"--which counts from 1, got {wanted.which}.", "Look at the contact sheet.")
    if wanted.replace:
        find_person(store, wanted.name)
        if wanted.aliases:
            raise UsageError("--replace keeps the aliases; --alias cannot be given.", "Leave --alias out.")
    else:
        subject = Subject(f"s{uuid.uuid4().hex}", wanted.name, wanted.aliases)
        check_names_are_free(store.people(), subject)


def add_person(store: Store, wanted: Enrolment, enrol: Enrol) -> tuple[Person, EnrolReport]:
    """Learn somebody from one clip or several, and enrol them.

    Raises:
        UsageError, ConsentError: see `check_enrolment`.
        ContentError: nobody, or several people and no `which`, or too poor a view; nothing is stored.
        StoreError: it cannot be written; nothing is stored.
    """
    check_enrolment(store, wanted)
    old = find_person(store, wanted.name) if wanted.replace else None
    subject = old.subject if old else Subject(f"s{uuid.uuid4().hex}", wanted.name, wanted.aliases)
    release = store.next_release(subject.subject_id)
    with scratch(store.home) as folder:
        sheet = folder / "sheet.jpg"
        request = EnrolRequest(
            subject.subject_id, wanted.clips[0], wanted.which, folder / "adapter.safetensors", sheet, release,
            wanted.clips[1:],
        )  # fmt: skip
        try:
            report = enrol(request)
        except (ContentError, UsageError) as error:
            raise _with_sheet(error, sheet, wanted.sheet_copy) from error
        adapter = NewAdapter(report.adapter_path, release, "instant", wanted.base)
        consent = Consent(wanted.consent.by, time.time(), wanted.consent.purpose, wanted.consent.until)
        keep = report.sheet_path
        if old is None:
            return store.add_subject(subject, consent, adapter, sheet=keep), report
        return store.replace_enrolment(subject.subject_id, consent, adapter, sheet=keep), report


def _with_sheet(error: PvchatError, sheet: Path, copy: Path | None) -> PvchatError:
    """The same error, after the contact sheet was put where the user can look at it, if it fits there."""
    if copy is None or not sheet.is_file():
        return error
    try:
        write_atomic(copy, sheet.read_bytes())
    except (OSError, StoreError):
        return error
    next_step = error.next_step.replace(str(sheet), str(copy))
    if str(copy) not in next_step:
        next_step = f"{next_step} The people found are in {copy}.".strip()
    return type(error)(error.message.replace(str(sheet), str(copy)), next_step)


@contextmanager
def scratch(home: Home) -> Iterator[Path]:
    """A folder for unfinished work of this process; gone afterwards, also after the death of the process.

    Raises:
        StoreError: it cannot be made.
    """
    clear_scratch(home)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home.incoming))
    except OSError as error:
        raise StoreError(
            f"cannot write into {home.incoming}: {error.strerror}.", "Check the disk's free space."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_scratch(home: Home) -> None:
    """Remove what processes that are dead now have left."""
    for path in home.incoming.iterdir():
        owner = path.name.split("-", maxsplit=1)[0]
        if not (owner.isdigit() and Path(f"/proc/{owner}").exists()):
            shutil.rmtree(path, ignore_errors=True)
