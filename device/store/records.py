"""What the store gives back and takes. Knows no database and no files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runtime.contract.household import Subject
from runtime.contract.serving import AdapterRef

AdapterKind = Literal["instant", "trained"]
AdapterState = Literal["active", "previous", "trial", "bad"]
PURPOSE = "recognise this person on the cameras of this home"


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agreed to what, and until when.

    Attributes:
        by: the person who consented (for themselves or for a child).
        at: POSIX seconds (UTC).
        purpose: what was agreed to.
        until: last day it holds, `YYYY-MM-DD`; None: until it is withdrawn.
    """

    by: str
    at: float
    purpose: str = PURPOSE
    until: str | None = None


@dataclass(frozen=True, slots=True)
class AdapterRecord:
    """One installed adapter file.

    Attributes:
        release: counts up with every adapter of the subject.
        sha256: of the file's bytes, in hex; its name in the vault.
        base: fingerprint of the base it fits.
        path: the file; absent once the state is `bad`.
        installed_at: POSIX seconds (UTC).
    """

    subject_id: str
    release: int
    kind: AdapterKind
    sha256: str
    base: str
    state: AdapterState
    path: Path
    installed_at: float


@dataclass(frozen=True, slots=True)
class Person:
    """Everything the store knows of one enrolled person.

    Attributes:
        paused: not looked for at present.
        created_at: POSIX seconds (UTC) of the enrolment.
        consent: the newest one.
        sheet: contact sheet of the reference clip; None when there is none.
        adapters: all of them, newest release first.
        floor: no adapter with a release up to this number is installed again.
        denials: evidence that was denied to show this person, oldest first.
    """

    subject: Subject
    paused: bool
    created_at: float
    consent: Consent
    sheet: Path | None
    adapters: tuple[AdapterRecord, ...]
    floor: int
    denials: tuple[Denial, ...] = ()

    def adapter(self, state: AdapterState = "active") -> AdapterRecord | None:
        """The adapter in one state, or None."""
        return next((record for record in self.adapters if record.state == state), None)

    def lapsed(self, today: str) -> bool:
        """Whether consent has ended before `today` (YYYY-MM-DD)."""
        return self.consent.until is not None and self.consent.until < today


@dataclass(frozen=True, slots=True)
class Denial:
    """A piece of evidence of which the household said that it does not show this person.

    Attributes:
        event: the name of the evidence. at: POSIX seconds (UTC) when it was denied.
        path: what was seen then, as the runtime wrote it.
    """

    event: str
    at: float
    path: Path


@dataclass(frozen=True, slots=True)
class ActiveAdapter:
    """What the runtime is to load for one subject; `denied` are files of people who are not this one."""

    subject: Subject
    release: int
    path: Path
    denied: tuple[Path, ...] = ()

    def ref(self) -> AdapterRef:
        """As the runtime wants it."""
        return AdapterRef(self.subject.subject_id, self.path, self.release, self.subject.name, self.denied)


@dataclass(frozen=True, slots=True)
class NewAdapter:
    """An adapter file to be put into the vault.

    Attributes:
        source: the file's bytes, or a path to copy from (it is left where it is).
    """

    source: bytes | Path
    release: int
    kind: AdapterKind
    base: str
