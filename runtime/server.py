"""The runtime's own verbs on top of a session. Knows no bytes, no engines and no rooms.

`device` uses `runtime.router.Server` with a handler of its own, never this module.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from runtime.contract.bundle import Bundle
from runtime.contract.errors import DeadlineError, WireError
from runtime.contract.serving import Deadline, Session
from runtime.stats import ServerStats
from runtime.turns import Turns
from runtime.wire import (
    AnswerReply,
    Ask,
    Done,
    Enrol,
    EnrolReply,
    Health,
    HealthReply,
    Hello,
    Ready,
    Reply,
    Request,
    SetSubjects,
)

BESIDE: tuple[type[Request], ...] = (SetSubjects, Enrol)
"""What a server of this handler works on beside questions."""
_STATM = Path("/proc/self/statm")


class SessionHandler:
    """Answers the runtime's requests with one session; safe from several threads.

    Questions take turns. Whoever is added, replaced or forgotten is prepared beside them: a question waits
    for no file and no clip, only until a reference is exchanged.
    """

    def __init__(self, session: Session, bundle: Bundle, stats: ServerStats, *, save_evidence: bool) -> None:
        """Take over a session.

        Args:
            stats: the counters of the server that will call this handler.
            save_evidence: False: no evidence pictures, whatever a request says.
        """
        self._session = session
        self._bundle = bundle
        self._stats = stats
        self._save_evidence = save_evidence
        self._turns, self._preparing = Turns(), Turns()
        self._subjects: dict[str, int] = {}
        self._denied: dict[str, str] = {}

    def __call__(self, request: Request, deadline: Deadline) -> Reply:
        """Answer one request.

        Raises:
            PvchatError: what the session raises; `WireError` for a verb that is not the runtime's.
        """
        if isinstance(request, Hello):
            return self._ready()
        if isinstance(request, Health):
            return self._health()
        if isinstance(request, Ask):
            with self._turns.turn(deadline()):
                where = request.evidence_dir if self._save_evidence else None
                answer = self._session.answer(request.source, request.intent, request.names, where, deadline)
                return AnswerReply(answer=answer)
        if isinstance(request, SetSubjects):
            with self._preparing.turn(deadline()):
                return self._set_subjects(request, deadline)
        if isinstance(request, Enrol):
            with self._preparing.turn(deadline()):
                return EnrolReply(report=self._session.enrol(request.request))
        raise WireError(f"{type(request).__name__} is no request for the runtime.", "Ask the daemon.")

    def _set_subjects(self, request: SetSubjects, deadline: Deadline) -> Done:
        install = self._session.prepare_subjects(request.adapters)
        if request.only_check:
            return Done()
        with self._turns.turn(deadline()):
            install()
            self._subjects = {ref.subject_id: ref.release for ref in request.adapters}
            self._denied = {ref.subject_id: ref.denied_mark for ref in request.adapters if ref.denied}
        return Done()

    def tidy(self) -> None:
        """Let the session forget cameras that are gone, unless it is answering just now."""
        with contextlib.suppress(DeadlineError), self._turns.turn(0.0):
            self._session.forget_gone()

    def _ready(self) -> Ready:
        manifest = self._bundle.manifest
        return Ready(
            bundle_id=self._bundle.bundle_id,
            base=manifest.base,
            pid=os.getpid(),
            shapes=manifest.shapes,
            window_frames=manifest.pixels.window_frames,
            window_fps=manifest.pixels.window_fps,
            accept=manifest.calibration.accept,
            subjects=self._subjects,
            denied=self._denied,
        )

    def _health(self) -> HealthReply:
        return HealthReply(
            bundle_id=self._bundle.bundle_id,
            uptime_s=self._stats.uptime_s,
            queue=self._stats.waiting,
            rss_mib=rss_mib(),
            overdue_s=self._stats.overdue_s(),
            **self._stats.counts(),
        )


def rss_mib() -> float:
    """Resident memory of this process in MiB."""
    pages = int(_STATM.read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
