"""A session on the tiny bundle with some people enrolled, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.dialogue import Answer, Intent, Kind
from runtime.contract.serving import AdapterRef, ClipSource, EnrolReport, EnrolRequest
from runtime.session import LocalSession, open_session
from tests.fakes.tiny_bundle import ANN, BEN, CYN, Colour, frame, write_clip

COLOURS: dict[str, Colour] = {"ann": ANN, "ben": BEN, "cyn": CYN}
IDS = {name: f"s{number:032x}" for number, name in enumerate(COLOURS, start=1)}
NAMES = {subject_id: name.capitalize() for name, subject_id in IDS.items()}


def forever() -> float:
    """A deadline that never comes: seconds left."""
    return 600.0


def open_tiny(bundle: Bundle, *, max_clip_seconds: float = 120.0, models: Path | None = None) -> LocalSession:
    """A session on the CPU."""
    config = RuntimeConfig(device="cpu", threads=1, max_clip_seconds=max_clip_seconds, models=models)
    return open_session(bundle, config)


class TinyHome:
    """A session, a folder, and verbs that make clips on the way."""

    def __init__(self, session: LocalSession, folder: Path) -> None:
        self.session = session
        self.folder = folder
        self.clips = 0

    def clip(self, *people: Mapping[int, Colour], seconds: float = 2.0) -> Path:
        """A clip that shows these arrangements one after another, each for some seconds at 4 fps."""
        self.clips += 1
        frames = [frame(cells) for cells in people for _ in range(round(seconds * 4))]
        return write_clip(self.folder / f"clip{self.clips}.mkv", frames)

    def enrol(
        self, name: str, path: Path | None = None, which: int | None = None, more: tuple[Path, ...] = ()
    ) -> EnrolReport:
        """An adapter file for one of the people, from a clip of that person alone if none is given."""
        clip = path or self.clip({9: COLOURS[name]}, {12: COLOURS[name]})
        return self.session.enrol(
            EnrolRequest(
                subject_id=IDS[name],
                path=clip,
                which=which,
                adapter_path=self.adapter(name),
                sheet_path=self.folder / f"{name}.jpg",
                release=1,
                more=more,
            )
        )

    def adapter(self, name: str) -> Path:
        """Where somebody's adapter file lies."""
        return self.folder / f"{name}.safetensors"

    def ref(self, name: str) -> AdapterRef:
        """How an adapter file is installed."""
        return AdapterRef(IDS[name], self.adapter(name), 1, NAMES[IDS[name]])

    def install(self, *names: str) -> None:
        """Enrol and install exactly these people."""
        for name in names:
            if not self.adapter(name).exists():
                self.enrol(name)
        self.session.set_subjects([self.ref(name) for name in names])

    def ask(self, path: Path, kind: Kind, *names: str, evidence: Path | None = None) -> Answer:
        """One question about a clip."""
        intent = Intent(kind, tuple(IDS[name] for name in names))
        return self.session.answer(ClipSource(path), intent, NAMES, evidence, forever)
