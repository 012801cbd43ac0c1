"""What the runtime's session does for its server, as types. Knows no sockets, no engines and no files.

Who meets here: `runtime.session` implements `Session`; `runtime.server` calls it, one call at a time and from
one thread; the daemon sends these types over `runtime.wire` (the generic socket server that the daemon shares
is `runtime.router`; `runtime.server` is not for `device`). Paths are absolute and local; pixels never travel.
`runtime.session.open_session(bundle: Bundle, config: RuntimeConfig) -> Session` makes one (`runtime.config`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.contract.dialogue import Answer, Intent
from runtime.contract.sources import PersonSource

Deadline = Callable[[], float]
"""Seconds left until the caller stops waiting; 0 or less: too late."""


@dataclass(frozen=True, slots=True)
class AdapterRef:
    """An adapter file to be installed.

    Attributes:
        subject_id: whom it is for; the file must say the same.
        path: the .safetensors file.
        release: must equal the file's.
        name: display name; never logged, never in a prompt.
        denied: files of sightings that the household denied to be this person.
    """

    subject_id: str
    path: Path
    release: int
    name: str = ""
    denied: tuple[Path, ...] = ()

    @property
    def denied_mark(self) -> str:
        """Equal only for the same files; empty for none. A vault's file is named by its content."""
        names = "\n".join(sorted(path.name for path in self.denied))
        return hashlib.sha256(names.encode()).hexdigest()[:16] if names else ""


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A video file. Freshness and rooms do not apply."""

    path: Path


@dataclass(frozen=True, slots=True)
class WindowSource:
    """The newest window of one live camera, in a shared-memory ring (`runtime.frames.read_window`).

    Attributes:
        camera: name in evidence.
        room: where it looks, for the text of the answer; the session decides nothing by it.
        ring: name of the shared-memory block.
    """

    camera: str
    room: str
    ring: str


Source = ClipSource | WindowSource


@dataclass(frozen=True, slots=True)
class PeopleNearest:
    """The installed subject that a person looks most like.

    Attributes:
        subject_id: whom.
        similarity: cosine of unit embeddings of the same source, -1..1.
    """

    subject_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """Make an adapter from one clip, or from several of the same person.

    Attributes:
        subject_id: whom the clip shows.
        path: the video file.
        which: person of the contact sheet, counted from 1; None: there must be only one.
        adapter_path: where the .safetensors file is written.
        sheet_path: where the contact sheet (JPEG) of the people found is written, also when enrolment is
            refused because several people are in the clip; None: no sheet.
        release: number of the new adapter, from 1.
        more: further video files of this person; who it is in them is told by the first.
    """

    subject_id: str
    path: Path
    which: int | None
    adapter_path: Path
    sheet_path: Path | None
    release: int
    more: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class EnrolReport:
    """What came out of the clips.

    Attributes:
        subject_id, release: as requested.
        source: what the embeddings were made from: `head` (rendered world) or `face` (real footage).
        frames_used: frames of the clips that show the person.
        heads_found, faces_found: detections of the enrolled person in them.
        views: embeddings kept in the adapter.
        people: different people in the first clip.
        quality: mean quality of the kept views, 0..1.
        adapter_path, sheet_path: what was written; `sheet_path` is None when none was.
        hints: what the clip lacks, in words for the user ("no view from the left").
        nearest: the most similar subject among the installed ones, other than this one; None: nobody else.
        clips: how many clips were learned from.
        seen_from: of `front`, `left`, `right` (where the nose points to, in the picture) and `behind` those
            that the kept views show; empty: this base does not tell.
        light: on the person's head: `good`, `dark`, `backlit`, `glaring` or `colourless` (infrared); empty:
            the runtime is older and does not tell.
    """

    subject_id: str
    release: int
    source: PersonSource
    frames_used: int
    heads_found: int
    faces_found: int
    views: int
    people: int
    quality: float
    adapter_path: Path
    sheet_path: Path | None = None
    hints: tuple[str, ...] = ()
    nearest: PeopleNearest | None = None
    clips: int = 1
    seen_from: tuple[str, ...] = ()
    light: str = ""


class Session(Protocol):
    """A loaded bundle that can answer. Never called by two threads at a time, but for two slow things.

    While one thread asks, another one may `enrol` or `prepare_subjects`: they change nothing that is asked.

    Errors are `PvchatError`s; the server hands them to the caller as they are.
    """

    def prepare_subjects(self, refs: Sequence[AdapterRef]) -> Callable[[], None]:
        """Read and check adapters; what is returned, when called, replaces all installed subjects at once.

        All that takes time is done here, beside questions; what is returned only exchanges references, and
        must be called while nobody asks.

        Raises:
            AdapterError: a file that is damaged, made for another base, or not what the reference says; then
                the old ones stay.
        """
        ...

    def answer(
        self,
        source: Source,
        intent: Intent,
        names: Mapping[str, str],
        evidence_dir: Path | None,
        deadline: Deadline,
    ) -> Answer:
        """Answer about ONE source; the daemon asks once per camera and combines.

        The daemon needs, whatever the answer's kind: `subjects` with a confidence each, `unknown_people`,
        `evidence`, `as_of` and `frame_age_ms` (for a window), `reason`.

        Args:
            intent: subjects must be installed; `room` is only for the text.
            names: display names by subject id.
            evidence_dir: where evidence pictures are written; None: none are.
            deadline: checked between engine runs.

        Raises:
            ContentError: the clip cannot be used. CameraError: the ring is gone or has too few frames.
            RefusedError: this base cannot answer this kind of question here. DeadlineError: too late.
        """
        ...

    def enrol(self, request: EnrolRequest) -> EnrolReport:
        """One instant adapter from one clip; it is written, not installed.

        Raises:
            ContentError: nobody, or several people and no `which`, or too poor a view; a further clip that
                does not show the person of the first, or does not tell which of several it is.
        """
        ...

    def forget_gone(self) -> None:
        """Forget what was computed of cameras that are gone, and clips of long ago; called now and then."""
        ...

    def selftest(self, adapter: Path | None = None) -> list[str]:
        """Golden clips, canary and, when given, one adapter file; a line per problem, empty: fine."""
        ...
