"""The people of the rendered household, enrolled; sessions that know them. Knows no cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.bench_runtime.scenes import Scenes
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.serving import AdapterRef, EnrolRequest
from runtime.session.local import LocalSession
from runtime.session.models import Models


def forever() -> float:
    """A deadline that never comes: seconds left."""
    return 600.0


def subject_id(member: int) -> str:
    """The id of a member, by index."""
    return f"s{member + 1:032x}"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A bundle and the adapters of a household."""

    bundle: Bundle
    refs: tuple[AdapterRef, ...]
    names: dict[str, str]

    def session(self, models: Models, config: RuntimeConfig) -> LocalSession:
        """A session that knows the people and has seen nothing; the language model has forgotten all."""
        if models.language is not None:
            models.language.forget()
        session = LocalSession(self.bundle, models, config)
        session.set_subjects(self.refs)
        return session


def enrol(bundle: Bundle, models: Models, config: RuntimeConfig, scenes: Scenes, folder: Path) -> Enrolled:
    """Learn every member from the clip that shows them."""
    session = LocalSession(bundle, models, config)
    refs = [
        _learn(session, number, member.name, clip, folder)
        for number, (member, clip) in enumerate(zip(scenes.members, scenes.references, strict=True))
    ]
    return Enrolled(bundle, tuple(refs), {ref.subject_id: ref.name for ref in refs})


def _learn(session: LocalSession, number: int, name: str, clip: Path, folder: Path) -> AdapterRef:
    path = folder / f"{subject_id(number)}.safetensors"
    session.enrol(EnrolRequest(subject_id(number), clip, None, path, None, 1))
    return AdapterRef(subject_id(number), path, 1, name)
