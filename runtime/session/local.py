"""The session: subjects in, questions in, answers out. Knows no sockets, no rooms and no cameras.

For one thread at a time, beside which another may learn or prepare somebody: the subjects are one immutable
tuple that is swapped whole.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from pathlib import Path

from runtime.adapters import read_adapter
from runtime.config import RuntimeConfig
from runtime.contract.adapter import Adapter
from runtime.contract.bundle import Bundle
from runtime.contract.dialogue import Answer, Intent
from runtime.contract.errors import AdapterError, DeadlineError, UsageError
from runtime.contract.serving import (
    AdapterRef,
    Deadline,
    EnrolReport,
    EnrolRequest,
    Source,
    WindowSource,
)
from runtime.contract.sources import PERSON_SOURCES, PersonSource
from runtime.session.answering import Looked, answer_intent
from runtime.session.decide import Findings, chance_finds, decide
from runtime.session.denials import rival_of
from runtime.session.describe import PrefixKey
from runtime.session.enrolment import enrol_from
from runtime.session.footage import Footage, Projector
from runtime.session.judge import NOBODY, Claim, Installed, claims_of
from runtime.session.models import Models, load_models
from runtime.session.observe import LIVE_LOOKS, MAX_LOOK_GAP_S, Observation, Observer, clip_looks
from runtime.session.recent import Recent
from runtime.session.selftest import selftest_problems
from runtime.sightings import read_sighting

_FACES_PER_PERSON = 4
_CLAIMS_KEPT = 32
_MIN_FACE_VIEWS = 2
"""One face in several looks may be a chance find, badly aligned: it tells nobody apart."""
_MIN_HIDDEN, _HIDDEN_SHARE = 2, 0.3
"""A body without a head counts when it is seen in this many looks, and in this share of them."""


def open_session(bundle: Bundle, config: RuntimeConfig) -> LocalSession:
    """A session on a bundle, without subjects.

    Raises:
        BundleError: an engine is missing, damaged, or not what the manifest says.
        EngineError: no inference library, or not the device that was asked for.
    """
    return LocalSession(bundle, load_models(bundle, config), config)


class LocalSession:
    """Implements `runtime.contract.serving.Session`."""

    def __init__(
        self,
        bundle: Bundle,
        models: Models,
        config: RuntimeConfig,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Put the parts together; `clock` gives POSIX seconds."""
        self._bundle = bundle
        self._models = models
        self._config = config
        self._clock = clock
        self._observer = Observer(models)
        self._projector = Projector(models.manifest.pixels, config.max_clip_seconds)
        self._installed: tuple[Installed, ...] = ()
        self._claims: Recent[tuple[str, PersonSource], list[Claim]] = Recent(_CLAIMS_KEPT)

    def set_subjects(self, refs: Sequence[AdapterRef]) -> None:
        """Replace all subjects at once; raises what `prepare_subjects` raises."""
        self.prepare_subjects(refs)()

    def prepare_subjects(self, refs: Sequence[AdapterRef]) -> Callable[[], None]:
        """Read them; see `Session.prepare_subjects`."""
        fresh = self._read(refs)
        hashes = {one.sha256 for one in fresh}

        def install() -> None:
            self._installed = fresh
            self._claims.clear()
            if self._models.language is not None:
                self._models.language.forget(lambda key: not _is_about(key, hashes))

        return install

    def _read(self, refs: Sequence[AdapterRef]) -> tuple[Installed, ...]:
        fresh: list[Installed] = []
        for ref in refs:
            adapter, raw = read_adapter(
                ref.path, base=self._models.manifest.base, shapes=self._models.manifest.shapes
            )
            if adapter.subject_id != ref.subject_id or adapter.release != ref.release:
                raise AdapterError(
                    f"the adapter file of {ref.subject_id[:9]} release {ref.release} says "
                    f"{adapter.subject_id[:9]} release {adapter.release}.",
                    "Enrol this person again.",
                )
            rivals = _rivals(self._models, ref)
            fresh.append(Installed(adapter, hashlib.sha256(raw).hexdigest(), rivals))
        ids = [one.adapter.subject_id for one in fresh]
        if len(set(ids)) != len(ids):
            raise AdapterError("two adapters are for the same subject.", "Install one adapter a subject.")
        if any(len(one.adapter.views("face")) for one in fresh):
            self._models.load_for_faces()
        return tuple(fresh)

    def answer(
        self,
        source: Source,
        intent: Intent,
        names: Mapping[str, str],
        evidence_dir: Path | None,
        deadline: Deadline,
    ) -> Answer:
        """Answer about one source; see `Session.answer`."""
        installed = self._installed
        absent = set(intent.subject_ids) - {one.adapter.subject_id for one in installed}
        if absent:
            raise UsageError(f"subject {min(absent)[:9]} is not installed.", "Enrol this person first.")
        timings_ms: dict[str, float] = {}
        check = _checker(deadline)
        check()
        self.forget_gone()
        with _timed(timings_ms, "decode"):
            footage = self._projector.open(source)
        with _timed(timings_ms, "look"):
            looks = LIVE_LOOKS if footage.newest_at is not None else clip_looks(footage.clip.duration_s)
            observation = self._observer.observe(
                footage.clip, looks=looks, per_track=_FACES_PER_PERSON, check=check, known=_known(installed),
                stream=source.ring if isinstance(source, WindowSource) else None, marks=footage.marks,
            )  # fmt: skip
        with _timed(timings_ms, "compare"):
            claims = self._claims_of(observation, installed, check)
            findings = self._findings(footage, observation, claims, installed)
        looked = Looked(
            models=self._models,
            footage=footage,
            observation=observation,
            installed=installed,
            findings=findings,
            now=self._clock(),
        )
        with _timed(timings_ms, "tell"):
            folder = evidence_dir if self._config.save_evidence else None
            return answer_intent(looked, intent, names, folder, check, timings_ms)

    def forget_gone(self) -> None:
        """Forget cameras that are gone and a clip of long ago; see `Session.forget_gone`."""
        self._projector.forget_old()
        if self._observer.forget_gone():
            self._claims.clear()
            if self._models.language is not None:
                self._models.language.forget()

    def enrol(self, request: EnrolRequest) -> EnrolReport:
        """One instant adapter from one clip; see `Session.enrol`."""
        others = [one.adapter for one in self._installed if one.adapter.subject_id != request.subject_id]
        return enrol_from(self._models, Observer(self._models), request, others)

    def selftest(self, adapter: Path | None = None) -> list[str]:
        """A line per problem; see `Session.selftest`."""
        return selftest_problems(self._bundle, self._models, adapter)

    def _claims_of(
        self, observation: Observation, installed: tuple[Installed, ...], check: Callable[[], None]
    ) -> list[Claim]:
        """The evidence; that of the last clips and windows is remembered, until somebody comes or goes."""
        key = (observation.key, observation.source)
        kept = self._claims.get(key)
        if kept is None:
            kept = self._claims.put(key, claims_of(self._models, observation, installed, check))
        return kept

    def _findings(
        self,
        footage: Footage,
        observation: Observation,
        claims: Sequence[Claim],
        installed: Sequence[Installed],
    ) -> Findings:
        source = observation.source
        blind_below = self._models.calibration(source).blind_below
        nobody = observation.still | chance_finds(observation.views, observation.looks, blind_below)
        views = [view for view in observation.views if view.track not in nobody]
        compared = frozenset(view.track for view in views)
        if source == "head":
            compared = frozenset(person for window in observation.windows for person in window.people)
        return decide(
            views,
            [claim for claim in claims if claim.person not in nobody],
            able={one.adapter.subject_id: len(one.adapter.views(source)) > 0 for one in installed},
            compared=compared - {NOBODY},
            calibration=self._models.rules(source),
            pictured=observation.pictured,
            blind_below=blind_below,
            min_views=_MIN_FACE_VIEWS if source == "face" and observation.looks > 1 else 1,
            doubts=[
                *footage.doubts,
                *_face_doubts(footage, observation),
                *_hidden_doubts(observation),
                *_still_doubts(observation),
            ],
        )


def _face_doubts(footage: Footage, observation: Observation) -> list[str]:
    """Why, on ordinary footage, somebody may have been missed."""
    if observation.source != "face":
        return []
    if not observation.sees_bodies:
        return [
            "On such footage people are seen only by their faces. "
            "`pvchat-edge models pull` installs what sees the others."
        ]
    if observation.hidden:
        return ["Somebody is in view whose face is not."]
    if footage.newest_at is None and observation.gap_s > MAX_LOOK_GAP_S:
        return [f"People were looked for only every {observation.gap_s:.1f} s."]
    return []


def _hidden_doubts(observation: Observation) -> list[str]:
    """Why somebody cannot be told: a body is in view for a while, and no head."""
    enough = max(_MIN_HIDDEN, _HIDDEN_SHARE * observation.looks)
    if observation.source == "face" or observation.hidden < enough:
        return []
    return ["Somebody is in view whose head is not."]


def _still_doubts(observation: Observation) -> list[str]:
    """A picture is nobody; but who says that nobody sleeps there."""
    if not observation.still:
        return []
    return ["A face is there that never moves: a picture, or somebody who keeps quite still."]


def _is_about(key: Hashable, hashes: Collection[str]) -> bool:
    """Whether a prefix is about nobody but the holders of these adapter files."""
    return isinstance(key, PrefixKey) and all(sha256 in hashes for _, sha256 in key.subjects)


def _known(installed: Sequence[Installed]) -> PersonSource | None:
    """What all of them were learned from, if that is one thing."""
    sources = {source for one in installed for source in PERSON_SOURCES if len(one.adapter.views(source))}
    return sources.pop() if len(sources) == 1 else None


def _rivals(models: Models, ref: AdapterRef) -> tuple[Adapter, ...]:
    """Who was denied to be this subject, as far as this base can compare."""
    found = []
    for path in ref.denied:
        sighting = read_sighting(path)
        if sighting.subject_id != ref.subject_id:
            raise AdapterError(
                f"a denial of {ref.subject_id[:9]} is about {sighting.subject_id[:9]}.", "Deny it again."
            )
        found.append(rival_of(models, sighting))
    return tuple(rival for rival in found if rival is not None)


def _checker(deadline: Deadline) -> Callable[[], None]:
    def check() -> None:
        if deadline() <= 0:
            raise DeadlineError("the deadline passed before there was an answer.", "Allow more time.")

    return check


class _timed:  # noqa: N801 - reads as a verb in `with`
    """Adds the milliseconds of its block to a table."""

    def __init__(self, table: dict[str, float], name: str) -> None:
        self._table = table
        self._name = name
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._table[self._name] = round((time.perf_counter() - self._start) * 1000, 1)
