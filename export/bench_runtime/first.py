"""The first question about a live window, and the next one: engines and caches, each with and without.

Four sessions answer the same question about the same window, one after another in a new order each time:
PyTorch eager and the engines, both with nothing remembered, and both after they have watched until half a
second ago, as a home's runtime does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from export.bench_runtime.household import Enrolled, forever, subject_id
from export.bench_runtime.live import Live
from export.bench_runtime.scenes import Show
from runtime.config import RuntimeConfig
from runtime.contract.dialogue import Answer, Intent, Kind
from runtime.contract.errors import ContentError
from runtime.contract.serving import WindowSource
from runtime.session.local import LocalSession
from runtime.session.models import Models

NEW_FRAMES = 2
_FIRST: Kind = "action"
_NEXT: Kind = "appearance"
EAGER, EAGER_WATCHING, ENGINES, ENGINES_WATCHING = (
    "eager, nothing remembered", "eager, watching", "engines, nothing remembered", "engines, watching",
)  # fmt: skip
CELLS = (EAGER, EAGER_WATCHING, ENGINES, ENGINES_WATCHING)


@dataclass(slots=True)
class FirstFigures:
    """Milliseconds of every repeat, by cell; of the next question; of a mere yes or no after that.

    `described`: in how many repeats the answer was a description; `same`: PyTorch and engines said the same.
    """

    first_ms: dict[str, list[float]] = field(default_factory=lambda: {cell: [] for cell in CELLS})
    followup_ms: list[float] = field(default_factory=list)
    presence_ms: list[float] = field(default_factory=list)
    described: int = 0
    same: int = 0

    def ratio(self, slow: str, fast: str) -> float:
        """How many times as long one cell takes as another: the median over repeats."""
        pairs = zip(self.first_ms[slow], self.first_ms[fast], strict=True)
        return statistics.median(one / other for one, other in pairs)


def measure_first(
    enrolled: Enrolled, engines: Models, eager: Models, config: RuntimeConfig, show: Show, repeats: int
) -> FirstFigures:
    """Ask and time; the first repeat warms up and does not count.

    Args:
        show: as `described_show` chooses it.

    Raises:
        ContentError: an answer depends on what is kept.
    """
    spec = engines.manifest.pixels
    figures = FirstFigures()
    who = subject_id(show.members[0])
    with Live(show, spec.window_fps) as live:
        for repeat in range(repeats + 1):
            live.advance(spec.window_frames)
            sessions = {
                cell: enrolled.session(eager if cell in (EAGER, EAGER_WATCHING) else engines, config)
                for cell in CELLS
            }
            for cell in (EAGER_WATCHING, ENGINES_WATCHING):
                sessions[cell].answer(live.source, Intent("who"), {}, None, forever)
            live.advance(NEW_FRAMES)
            found = FirstFigures() if repeat == 0 else figures
            answers = {}
            for turn in range(len(CELLS)):
                cell = CELLS[(repeat + turn) % len(CELLS)]
                _forget_words(engines, eager)
                answers[cell], ms = _timed(sessions[cell], live.source, _FIRST, who)
                found.first_ms[cell].append(ms)
                if cell == ENGINES_WATCHING:
                    answers["next"], ms = _timed(sessions[cell], live.source, _NEXT, who)
                    found.followup_ms.append(ms)
            _, ms = _timed(sessions[ENGINES_WATCHING], live.source, "existence", who)
            found.presence_ms.append(ms)
            _check(answers)
            found.described += answers[ENGINES_WATCHING].kind == "description"
            found.same += answers[EAGER].text == answers[ENGINES].text
    return figures


def described_show(enrolled: Enrolled, models: Models, config: RuntimeConfig, shows: Sequence[Show]) -> Show:
    """The first camera whose member is recognised and described: there the language model has work to do.

    Raises:
        ContentError: there is none.
    """
    spec = models.manifest.pixels
    for show in shows:
        with Live(show, spec.window_fps) as live:
            live.advance(spec.window_frames)
            session = enrolled.session(models, config)
            answer, _ = _timed(session, live.source, _FIRST, subject_id(show.members[0]))
            if answer.kind == "description":
                return show
    raise ContentError("no camera shows anybody who can be described.", "Choose another --seed.")


def _forget_words(*models: Models) -> None:
    """Sessions of the same models share a language model; none may find another's prefix there."""
    for one in models:
        if one.language is not None:
            one.language.forget()


def _timed(session: LocalSession, source: WindowSource, kind: Kind, who: str) -> tuple[Answer, float]:
    began_s = time.perf_counter()
    answer = session.answer(source, Intent(kind, (who,)), {}, None, forever)
    return answer, (time.perf_counter() - began_s) * 1000


def _check(answers: dict[str, Answer]) -> None:
    """What is kept must never change an answer."""
    for fresh, kept in ((EAGER, EAGER_WATCHING), (ENGINES, ENGINES_WATCHING)):
        one, other = answers[fresh], answers[kept]
        if (one.text, one.confidence, one.subjects) != (other.text, other.confidence, other.subjects):
            raise ContentError(f"{fresh} said {one.text!r}, {kept} {other.text!r}.", "This is a bug.")
