"""From a question in words to one answer: parse, ask about each camera, combine. Knows no sockets."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device.config import DeviceConfig
from device.daemon.cameras import Cameras
from device.daemon.combine import combine
from device.daemon.conversations import Conversations
from device.daemon.coverage import CameraAnswer, Thresholds
from device.daemon.joining import join, split
from device.daemon.people import People
from device.daemon.runtime_child import RuntimeChild, RuntimeGoneError
from device.daemon.runtime_keeper import Installed, RuntimeKeeper
from device.daemon.wording import named
from runtime.contract.calibration import Calibration
from runtime.contract.dialogue import Answer, CameraReport, Intent
from runtime.contract.errors import DeadlineError, PvchatError, RefusedError, UnavailableError, WireError
from runtime.contract.serving import Deadline
from runtime.questions import parse, recalled
from runtime.wire import AnswerReply, Ask

_RESERVE_S = 0.3
_ATTEMPTS = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the runtime said about all cameras that were asked, for each part of the question."""

    answers: tuple[tuple[CameraAnswer, ...], ...]
    base: str = ""
    accept: float = Calibration().accept
    releases: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def by(installed: Installed | None, answers: Sequence[Sequence[CameraAnswer]]) -> _Said:
        """With the versions of what answered, if anything did."""
        frozen = tuple(tuple(part) for part in answers)
        if installed is None:
            return _Said(frozen)
        return _Said(frozen, installed.ready.base, installed.ready.accept, installed.releases)


class Asker:
    """Answers questions about the rooms. Safe from any thread.

    Args:
        config: the settings as they are now.
        evidence: where evidence pictures go when the asker names no place.
    """

    def __init__(
        self,
        cameras: Cameras,
        keeper: RuntimeKeeper,
        *,
        config: Callable[[], DeviceConfig],
        evidence: Path,
    ) -> None:
        self._cameras = cameras
        self._keeper = keeper
        self._config = config
        self._evidence = evidence
        self.conversations = Conversations()

    def ask(
        self, text: str, conversation: str, evidence_dir: Path | None, deadline: Deadline,
        earlier: Sequence[str] = (),
    ) -> Answer:  # fmt: skip
        """Answer a question; what it is about is remembered for the next one of the same conversation.

        Args:
            earlier: the asker's own memory of it, read where there is none here.

        Raises:
            UsageError: a name or room that nobody knows. RefusedError: not understood.
        """
        started_s = time.monotonic()
        config = self._config()
        people = self._keeper.people()
        before = self.conversations.recall(conversation)
        before = before or recalled(earlier, people.household, config.rooms)
        intent = parse(text, people.household, config.rooms, before=before)
        self.conversations.remember(conversation, intent)
        targets = [report for report in self._cameras.reports() if _is_target(report, intent)]
        parts = split(intent)
        said = self._about(targets, parts, people, evidence_dir or self._evidence, deadline)
        now = time.time()
        reports = self._cameras.reports(now)
        limits = Thresholds(said.accept, config.limits.max_frame_age_ms)
        answer = join(
            [
                combine(part, answers, reports, limits, config.rooms, names=people.names, now=now)
                for part, answers in zip(parts, said.answers, strict=True)
            ]
        )
        spent_ms = (time.monotonic() - started_s) * 1000
        _log.info(
            "%s of %d people: %s in %.0f ms", intent.kind, len(intent.subject_ids), _outcome(answer), spent_ms
        )
        return dataclasses.replace(
            answer,
            base=answer.base or said.base,
            adapters=answer.adapters
            or {one: said.releases[one] for one in intent.subject_ids if one in said.releases},
            timings_ms={**answer.timings_ms, "daemon_total": spent_ms},
        )

    def _about(
        self,
        targets: list[CameraReport],
        parts: Sequence[Intent],
        people: People,
        evidence_dir: Path,
        deadline: Deadline,
    ) -> _Said:
        """Ask about each camera; what goes wrong becomes the cameras' problem, never the question's end."""
        if not targets:
            return _Said.by(self._keeper.current(), [[] for _ in parts])
        problem: PvchatError = UnavailableError("the runtime ended twice while answering.", "See its log.")
        for _ in range(_ATTEMPTS):
            try:
                with self._keeper.lease(max(0.0, deadline() - _RESERVE_S)) as installed:
                    _check_loaded(parts, installed, people)
                    answers: list[list[CameraAnswer]] = []
                    for part in parts:
                        requests = [self._request(report, part, people, evidence_dir) for report in targets]
                        answers.append([_one(installed.child, one, deadline) for one in requests if one])
                    return _Said.by(installed, answers)
            except RuntimeGoneError:
                _log.warning("the runtime ended while answering")
            except PvchatError as error:
                problem = error
                break
        failed = [CameraAnswer(report.camera, None, str(problem)) for report in targets]
        return _Said.by(self._keeper.current(), [failed for _ in parts])

    def _request(
        self, report: CameraReport, intent: Intent, people: People, evidence_dir: Path
    ) -> Ask | None:
        window = self._cameras.window(report.camera)
        if window is None:
            return None  # gone since; its report says so when the answers are combined
        return Ask(intent=intent, names=people.names, window=window, evidence_dir=evidence_dir)


def _check_loaded(parts: Sequence[Intent], installed: Installed, people: People) -> None:
    absent = [one for part in parts for one in part.subject_ids if one not in installed.releases]
    if absent:
        raise UnavailableError(
            f"no usable adapter is loaded for {named(absent, people.names)}.",
            "See `pvchat-edge status`; enrolling the person again helps.",
        )


def _one(child: RuntimeChild, request: Ask, deadline: Deadline) -> CameraAnswer:
    """What the runtime says about one camera; raises only `RuntimeGoneError`."""
    camera = request.window.camera if request.window else ""
    timeout_ms = int((deadline() - _RESERVE_S) * 1000)
    try:
        if timeout_ms < 1:
            raise DeadlineError(
                "the deadline passed before every camera was looked at.", "Ask with more time."
            )
        reply = child.call(request, timeout_ms)
        if not isinstance(reply, AnswerReply):
            raise WireError(
                f"the runtime answered {type(reply).__name__} to a question.", "Update both sides."
            )
        return CameraAnswer(camera, reply.answer)
    except RefusedError as error:
        return CameraAnswer(camera, Answer("refusal", error.message, None, None, 0.0, reason=str(error)))
    except PvchatError as error:
        return CameraAnswer(camera, None, str(error))


def _is_target(report: CameraReport, intent: Intent) -> bool:
    return report.state == "live" and intent.room in (None, report.room)


def _outcome(answer: Answer) -> str:
    return answer.verdict or answer.kind
